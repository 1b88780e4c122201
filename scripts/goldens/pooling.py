"""Makes the golden of a head on the mean and the maximum of a function's states: what torch computes of it on a decoder and an encoder.

    $VULNTUNE_PYTHON scripts/goldens/pooling.py

Needs torch, transformers, peft and safetensors (fetches nothing). Takes models and adapters of tests/golden/fixtures, writes
tests/golden/fixtures/pooling/NAME: functions, the head, states, logits, losses, and gradients of the adapter and the head.
"""

import torch
from common import ROOT, focal, save, write
from peft import PeftModel
from transformers import AutoModel, AutoModelForCausalLM

# the class that each adapter was made on, and what stands before and behind a function
CASES = {"llama": (AutoModelForCausalLM, [], [2]), "bert": (AutoModel, [1], [2])}
LENGTHS, LABELS, VOCABULARY = [5, 1, 9, 3], [0, 1, 1, 0], 23


def states_of(model, before, function, behind):
    """[n, H] of the function's own tokens, read between what stands around it."""
    ids = [*before, *function, *behind]
    out = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return out.hidden_states[-1][0, len(before) : len(before) + len(function)]


def main():
    torch.set_num_threads(1)
    for name, (base, before, behind) in CASES.items():
        torch.manual_seed(2026)
        model = base.from_pretrained(ROOT / "models" / name, attn_implementation="eager", dtype=torch.float32)
        model = PeftModel.from_pretrained(model, ROOT / "training" / name / "adapter", is_trainable=True).eval()
        trained = {key.replace(".default", ""): value for key, value in model.named_parameters() if value.requires_grad}
        head = torch.nn.Parameter(torch.randn(2, 2 * model.config.hidden_size) * 0.5)
        functions = [torch.randint(3, VOCABULARY, (length,)).tolist() for length in LENGTHS]
        states = [states_of(model, before, function, behind) for function in functions]
        pooled = torch.stack([torch.cat([own.mean(0), own.max(0).values]) for own in states])
        logits = pooled @ head.T
        losses = focal(logits, LABELS, 1.0)
        losses.sum().backward()
        folder = ROOT / "pooling" / name
        write(folder / "golden.json", {"leading": before, "separator": behind[0], "functions": functions, "labels": LABELS})
        tensors = {"head": head, "states": pooled, "logits": logits, "losses": losses, "grad.head.weight": head.grad}
        save(folder / "golden.safetensors", tensors | {f"grad.{key}": value.grad for key, value in trained.items()})


main()
