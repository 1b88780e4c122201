"""Adapters that PEFT makes of its less usual settings, and the hidden states that it gives with them.

    "$VULNTUNE_PYTHON" scripts/goldens/peft-adapters.py tests/golden/fixtures/peft

Needs torch 2.15, transformers 5.24 and peft 0.21. The base is tests/golden/fixtures/models/llama.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

output = Path(sys.argv[1])
base = Path(__file__).parents[2] / "tests/golden/fixtures/models/llama"
ids = [3, 17, 5, 8, 8, 21, 1, 12]
cases = {
    "patterns": dict(
        r=2, lora_alpha=4, target_modules=["q_proj", "v_proj", "down_proj"],
        rank_pattern={"layers.1.self_attn.q_proj": 3, "v_proj": 1}, alpha_pattern={"^model.layers.0.mlp.down_proj": 7, "q_proj": 5},
    ),
    "rslora-patterns": dict(
        r=4, lora_alpha=4, use_rslora=True, target_modules=["k_proj", "o_proj"], rank_pattern={r"layers\.\d\.self_attn\.o_proj": 2},
    ),
    "expression": dict(r=2, lora_alpha=3, target_modules=r"model\.layers\.1\.(self_attn|mlp)\.(q|up|gate)_proj"),
    "layers": dict(r=2, lora_alpha=4, target_modules=["q_proj", "up_proj"], layers_to_transform=[1], layers_pattern="layers"),
    "fan-in-fan-out": dict(r=1, lora_alpha=2, target_modules="all-linear", fan_in_fan_out=True, exclude_modules=["lm_head", "k_proj"]),
}
goldens = {"input_ids": ids, "adapters": {}}
for index, (name, settings) in enumerate(cases.items()):
    torch.manual_seed(index)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for full, parameter in model.named_parameters():
            if "lora_" in full:
                parameter.copy_(torch.randn_like(parameter) * 0.5)
        states = model.base_model.model.model(torch.tensor([ids])).last_hidden_state[0]
    folder = output / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "llama"
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    goldens["adapters"][name] = [[round(float(value), 7) for value in row] for row in states]
(output / "golden.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")
