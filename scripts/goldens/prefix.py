"""Makes the golden of prefix tuning: states and gradients that PEFT computes behind a prefix, and the adapter as it saves it.

    $VULNTUNE_PYTHON scripts/goldens/prefix.py

Needs torch, transformers, peft and safetensors (fetches nothing). Writes tests/golden/fixtures/prefix: a Llama of a few hundred weights
drawn at random, with fewer heads of keys and values than of queries; adapter/, whose prefix is trained through a projection or not.
"""

import json
import shutil

import torch
from common import ROOT, draw_weights, save, write
from peft import PrefixTuningConfig, get_peft_model
from transformers import AutoConfig, AutoModel

FOLDER = ROOT / "prefix"
CONFIG = {
    "architectures": ["LlamaModel"],
    "model_type": "llama",
    "vocab_size": 23,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rope_theta": 100.0,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}
TEXTS = [[3, 9, 14, 5, 20, 7, 2], [11, 4, 2]]
LENGTH = 3


def golden(name, projection):
    torch.manual_seed(7)
    base = AutoModel.from_config(AutoConfig.from_pretrained(FOLDER / "model"), attn_implementation="eager").eval()
    draw_weights(base)
    if not projection:
        save(FOLDER / "model" / "model.safetensors", dict(base.state_dict()))
    config = PrefixTuningConfig(
        task_type="FEATURE_EXTRACTION", num_virtual_tokens=LENGTH, prefix_projection=projection, encoder_hidden_size=5
    )
    model = get_peft_model(base, config).eval()
    for value in model.prompt_encoder.parameters():
        value.data = torch.randn(value.shape) * 0.7
    model.peft_config["default"].base_model_name_or_path = "prefix/model"
    adapter = FOLDER / name
    model.save_pretrained(adapter)
    (adapter / "README.md").unlink(missing_ok=True)
    past = []
    hook = model.prompt_encoder["default"].register_forward_hook(lambda _, __, out: (out.retain_grad(), past.append(out))[1] and None)
    tensors = {}
    for index, ids in enumerate(TEXTS):
        past.clear()
        states = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).last_hidden_state[0]
        weights = torch.randn(states.shape)
        (states * weights).sum().backward()
        tensors |= {f"states.{index}": states, f"weights.{index}": weights, f"gradient.{index}": past[0].grad[0]}
    hook.remove()
    save(adapter / "golden.safetensors", tensors)


def main():
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    write(FOLDER / "model" / "config.json", CONFIG)
    write(FOLDER / "golden.json", {"texts": TEXTS})
    golden("plain", False)
    golden("projected", True)


main()
