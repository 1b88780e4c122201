"""Makes the golden of bidirectional attention in the last layers of a decoder: states and gradients of transformers' Llama whose last layers are
given a mask that hides nothing, under an adapter of PEFT on some layers (layers_to_transform).

    $VULNTUNE_PYTHON scripts/goldens/bidirectional.py

Needs torch, transformers, peft and safetensors (fetches nothing). Writes tests/golden/fixtures/bidirectional: a Llama of a few hundred weights
drawn at random, adapter/ as PEFT saves it, and what they compute.
"""

import json
import shutil

import torch
from common import ROOT, draw_weights, save, write
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

FOLDER = ROOT / "bidirectional"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 23,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rope_theta": 100.0,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}
TEXTS = [[3, 9, 14, 5, 20, 7, 2], [11, 4, 2]]
BIDIRECTIONAL_LAYERS, ADAPTED = 2, [1, 2]


def see_both_ways(_, args, kwargs):
    tokens = args[0].shape[1]
    return args, {**kwargs, "attention_mask": torch.zeros(1, 1, tokens, tokens)}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(11)
    shutil.rmtree(FOLDER, ignore_errors=True)
    write(FOLDER / "model" / "config.json", CONFIG)
    base = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(FOLDER / "model"), attn_implementation="eager").eval()
    draw_weights(base)
    weights = {key: value for key, value in base.state_dict().items() if key != "lm_head.weight"}
    save(FOLDER / "model" / "model.safetensors", weights)
    for layer in base.model.layers[-BIDIRECTIONAL_LAYERS:]:
        layer.register_forward_pre_hook(see_both_ways, with_kwargs=True)
    config = LoraConfig(
        r=2, lora_alpha=4, target_modules=["q_proj", "down_proj"], layers_to_transform=ADAPTED, task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config).eval()
    trained = {key: value for key, value in model.named_parameters() if value.requires_grad}
    for value in trained.values():
        value.data = torch.randn(value.shape) * 0.4
    model.peft_config["default"].base_model_name_or_path = "bidirectional/model"
    adapter = FOLDER / "adapter"
    model.save_pretrained(adapter)
    (adapter / "README.md").unlink(missing_ok=True)
    saved = json.loads((adapter / "adapter_config.json").read_text())
    saved["target_modules"] = sorted(saved["target_modules"])
    write(adapter / "adapter_config.json", saved)
    tensors = {}
    for index, ids in enumerate(TEXTS):
        for value in trained.values():
            value.grad = None
        states = base.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        weights = torch.randn(states.shape)
        (states * weights).sum().backward()
        tensors |= {f"states.{index}": states, f"weights.{index}": weights}
        for key, value in trained.items():
            name = key.removeprefix("base_model.model.").replace(".default", "")
            tensors[f"gradient.{index}.{name}"] = value.grad.clone()
    save(FOLDER / "golden.safetensors", tensors)
    write(
        FOLDER / "golden.json",
        {"texts": TEXTS, "bidirectionalLayers": BIDIRECTIONAL_LAYERS, "layersToTransform": ADAPTED},
    )


main()
