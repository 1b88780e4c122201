"""What the goldens of all families have in common: random weights, adapters in training, and how they are written."""

import json
import math
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "fixtures"
STEPS, ACCUMULATION, RATE, DECAY = 4, 2, 1e-3, 0.05


def draw_weights(model):
    for name, tensor in model.named_parameters():
        is_norm = "norm" in name.lower() and name.endswith("weight")
        values = torch.randn(tensor.shape) * (0.2 if is_norm else 0.4) + (1 if is_norm else 0)
        # few bits: the same number in every program that reads it
        tensor.data = (values * 512).round() / 512


def focal(logits, labels, gamma, alpha=None, detached=False):
    log_p = torch.log_softmax(logits, -1).gather(1, torch.tensor(labels)[:, None])[:, 0]
    rest = (1 - log_p.exp()) ** gamma
    weight = 1 if alpha is None else torch.tensor(alpha)[torch.tensor(labels)]
    return -weight * (rest.detach() if detached else rest) * log_p


def training_golden(folder, name, model, targets, task, labelled, logits_of):
    """Adapters and a head on the model `models/name`: losses, gradients and steps. `labelled(lengths)` makes a batch, `logits_of(model, head,
    batch)` are those of its functions."""
    adapter = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=targets, task_type=task))
    adapter.peft_config["default"].base_model_name_or_path = f"models/{name}"
    trained = {key: value for key, value in adapter.named_parameters() if value.requires_grad}
    for key, value in trained.items():
        value.data = torch.randn(value.shape) * (0.4 if "lora_A" in key else 0.3)
    head = torch.nn.Parameter(torch.randn(2, model.config.hidden_size) * 0.5)
    adapter.eval()
    start = {key: value.detach().clone() for key, value in trained.items()}
    start_head = head.detach().clone()

    def reset():
        for key, value in trained.items():
            value.data = start[key].clone()
        head.data = start_head.clone()

    def write_adapter(place):
        adapter.save_pretrained(place)
        for extra in ("README.md",):
            (place / extra).unlink(missing_ok=True)
        config = json.loads((place / "adapter_config.json").read_text())
        config["target_modules"] = sorted(config["target_modules"])
        write(place / "adapter_config.json", config)
        save(place / "head.safetensors", {"weight": head})

    write_adapter(folder / "adapter")
    batch = labelled([5, 1, 9, 3])
    write(folder / "batch.json", batch)
    tensors, golden = {}, {"base_model": f"models/{name}", "focal": []}
    for gamma in (0.0, 1.0, 2.0):
        for alpha in (None, [0.25, 0.75]):
            losses = focal(logits_of(adapter, head, batch), batch["labels"], gamma, alpha)
            golden["focal"].append({"gamma": gamma, "alpha": alpha, "per_function": losses.tolist(), "sum": losses.sum().item()})
    everything = [*trained.values(), head]
    for kind in ("full", "detached"):
        for value in everything:
            value.grad = None
        focal(logits_of(adapter, head, batch), batch["labels"], 1.0, detached=kind == "detached").sum().backward()
        for key, value in trained.items():
            tensors[f"grad.focal1_sum.{kind}.{key.replace('.default', '')}"] = value.grad.clone()
        tensors[f"grad.focal1_sum.{kind}.head.weight"] = head.grad.clone()
        if kind == "full":
            golden["grad_norm_focal1_sum_full"] = math.sqrt(sum(value.grad.pow(2).sum().item() for value in everything))
    write(folder / "golden.json", golden)
    save(folder / "golden.safetensors", tensors)

    trajectory = {
        "optimizer": {"lr": RATE, "weight_decay": DECAY},
        "max_grad_norm": 1.0,
        "accumulation": ACCUMULATION,
        "micro_batches": [labelled([4, 2]) for _ in range(STEPS * ACCUMULATION)],
        "variants": {},
    }
    reset()
    optimizer = torch.optim.AdamW(everything, lr=RATE, weight_decay=DECAY)
    steps = []
    for step in range(STEPS):
        # one step of warm-up, then a cosine
        rate = RATE * (0 if step == 0 else 0.5 * (1 + math.cos(math.pi * (step - 1) / (STEPS - 1))))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss = 0.0
        for micro in trajectory["micro_batches"][step * ACCUMULATION : (step + 1) * ACCUMULATION]:
            part = focal(logits_of(adapter, head, micro), micro["labels"], 1.0).sum() / ACCUMULATION
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(everything, 1.0).item()
        optimizer.step()
        steps.append({"lr": rate, "loss": loss, "grad_norm_before_clip": norm})
    loss = {"gamma": 1.0, "alpha": None, "reduction": "sum", "gradient": "full"}
    trajectory["variants"]["full"] = {"loss": loss, "steps": steps}
    write(folder / "trajectory.json", trajectory)
    write_adapter(folder / "final_full")


def observed(layers, run):
    """What enters the first layer and what leaves each, and what `run` returns."""
    seen = []
    hooks = [layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))]
    hooks += [layer.register_forward_hook(lambda _, __, out: seen.append(out[0] if isinstance(out, tuple) else out)) for layer in layers]
    result = run()
    for hook in hooks:
        hook.remove()
    return seen, result


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent="\t") + "\n" if "config" in path.name else json.dumps(value) + "\n")


def save(path, tensors):
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, path, {"format": "pt"})
