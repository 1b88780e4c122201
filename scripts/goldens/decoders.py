"""Makes the goldens of decoders that the small set has: hidden states alone and in packs, gradients and training steps of transformers
and PEFT, with windows that are shorter than the functions.

    $VULNTUNE_PYTHON scripts/goldens/decoders.py

Needs torch, transformers, peft and safetensors (fetches nothing). Writes tests/golden/fixtures/models/NAME and, for families with
`targets`, .../training/NAME in the layout of the larger set, from models of a few hundred weights that are drawn at random.
"""

import torch
from common import ROOT, draw_weights, observed, save, training_golden, write
from transformers import AutoConfig, AutoModelForCausalLM

SEP, VOCABULARY = 2, 29
ROWS = [[9, 3, 12], [1, 17]]
COMMON = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": SEP, "pad_token_id": SEP}
GATED = {
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
}

DECODERS = {
    # transformers 4 wrote `torch_dtype`, `rope_theta` and `rope_scaling`; every layer has the window
    "mistral-window": {
        "config": COMMON
        | GATED
        | {
            "architectures": ["MistralForCausalLM"],
            "model_type": "mistral",
            "head_dim": 4,
            "rope_theta": 1000.0,
            "sliding_window": 4,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
        },
    },
    # transformers 5 writes `dtype`, `rope_parameters` and `layer_types`, which say what `max_window_layers` would not
    "qwen2-window": {
        "config": COMMON
        | GATED
        | {
            "architectures": ["Qwen2ForCausalLM"],
            "dtype": "float32",
            "layer_types": ["sliding_attention", "full_attention"],
            "max_window_layers": 28,
            "model_type": "qwen2",
            "rope_parameters": {"rope_theta": 1000.0, "rope_type": "default"},
            "sliding_window": 5,
            "tie_word_embeddings": False,
            "use_sliding_window": True,
        },
    },
    "qwen3-window": {
        "targets": ["q_proj", "k_proj", "o_proj"],
        "config": COMMON
        | GATED
        | {
            "architectures": ["Qwen3ForCausalLM"],
            "head_dim": 6,
            "max_window_layers": 1,
            "model_type": "qwen3",
            "rope_scaling": None,
            "rope_theta": 1000.0,
            "sliding_window": 4,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "use_sliding_window": True,
        },
    },
    "starcoder2-window": {
        "targets": ["q_proj", "v_proj", "c_fc", "c_proj"],
        "config": COMMON
        | {
            "architectures": ["Starcoder2ForCausalLM"],
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": 8,
            "intermediate_size": 12,
            "max_position_embeddings": 64,
            "model_type": "starcoder2",
            "norm_epsilon": 1e-5,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "rope_theta": 1000.0,
            "sliding_window": 6,
            "torch_dtype": "float32",
            "use_bias": True,
        },
    },
    "gpt_neox": {
        "targets": ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
        "config": COMMON
        | {
            "architectures": ["GPTNeoXForCausalLM"],
            "hidden_act": "gelu",
            "hidden_size": 8,
            "intermediate_size": 12,
            "layer_norm_eps": 1e-5,
            "max_position_embeddings": 64,
            "model_type": "gpt_neox",
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "rotary_emb_base": 1000,
            "rotary_pct": 0.5,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
            "use_parallel_residual": True,
        },
    },
    # as transformers 5 writes it, with everything the other way
    "gpt_neox-sequential": {
        "config": COMMON
        | {
            "architectures": ["GPTNeoXForCausalLM"],
            "attention_bias": False,
            "dtype": "float32",
            "hidden_act": "gelu_new",
            "hidden_size": 8,
            "intermediate_size": 12,
            "layer_norm_eps": 1e-3,
            "max_position_embeddings": 64,
            "model_type": "gpt_neox",
            "num_attention_heads": 1,
            "num_hidden_layers": 2,
            "rope_parameters": {"partial_rotary_factor": 0.75, "rope_theta": 500.0, "rope_type": "default"},
            "tie_word_embeddings": True,
            "use_parallel_residual": False,
        },
    },
}


def words(count):
    return [*torch.randint(3, VOCABULARY, (count,)).tolist(), SEP]


def packed(rows):
    """Functions side by side, each with the separator after it, and where the last token before it lies."""
    width = max(sum(length + 1 for length in row) for row in rows)
    batch = {"input_ids": [], "segment_ids": [], "position_ids": [], "pool": []}
    for r, row in enumerate(rows):
        ids, segments, positions = [], [], []
        for segment, length in enumerate(row):
            batch["pool"].append([r, len(ids) + length - 1])
            ids += words(length)
            segments += [segment] * (length + 1)
            positions += range(length + 1)
        padding = width - len(ids)
        batch["input_ids"].append(ids + [SEP] * padding)
        batch["segment_ids"].append(segments + [-1] * padding)
        batch["position_ids"].append(positions + [0] * padding)
    return batch


def functions_of(batch):
    """(row, first column, ids) of every function: what it is in a pack, it is alone."""
    for row, (ids, segments) in enumerate(zip(batch["input_ids"], batch["segment_ids"])):
        for segment in range(max(segments) + 1):
            start = segments.index(segment)
            yield row, start, ids[start : start + segments.count(segment)]


def final_states(model, ids):
    return model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0]


def model_golden(folder, model):
    base = model.base_model
    ids = words(13)
    hidden, out = observed(base.layers, lambda: model(input_ids=torch.tensor([ids]), output_hidden_states=True))
    tensors = {"single.input_ids": torch.tensor([ids], dtype=torch.int32)}
    tensors |= {f"single.hidden.{index}": value for index, value in enumerate(hidden)}
    tensors |= {"single.final": out.hidden_states[-1], "single.logits": out.logits}
    batch = packed(ROWS)
    shape = (len(ROWS), len(batch["input_ids"][0]), model.config.hidden_size)
    isolated, leaky = torch.zeros(shape), torch.zeros(shape)
    for row, start, function in functions_of(batch):
        isolated[row, start : start + len(function)] = final_states(model, function)
    for row, (ids, segments) in enumerate(zip(batch["input_ids"], batch["segment_ids"])):
        length = len(ids) - segments.count(-1)
        leaky[row, :length] = final_states(model, ids[:length])
    pool = batch.pop("pool")
    tensors |= {
        "packed.isolated.final": isolated,
        "packed.isolated.last_hidden": torch.stack([isolated[row, column] for row, column in pool]),
        "packed.leaky.final": leaky,
    }
    write(folder / "golden.json", {"packed": batch | {"pool_row_col": pool}})
    save(folder / "golden.safetensors", tensors)


def labelled(lengths):
    batch = packed([lengths])
    return batch | {"labels": torch.randint(0, 2, (len(lengths),)).tolist()}


def logits_of(model, head, batch):
    states = [final_states(model, function)[-2] for _, __, function in functions_of(batch)]
    return torch.stack(states) @ head.T


def main():
    torch.set_num_threads(1)
    for name, decoder in DECODERS.items():
        torch.manual_seed(2026)
        folder = ROOT / "models" / name
        write(folder / "config.json", decoder["config"])
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager").eval()
        draw_weights(model)
        with torch.no_grad():
            model_golden(folder, model)
        weights = dict(model.state_dict())
        if model.config.tie_word_embeddings:
            del weights["lm_head.weight"]
        # the name in published checkpoints, which transformers 5 renames
        if "lm_head.weight" in weights and decoder["config"]["model_type"] == "gpt_neox":
            weights["embed_out.weight"] = weights.pop("lm_head.weight")
        save(folder / "model.safetensors", weights)
        if "targets" in decoder:
            training_golden(ROOT / "training" / name, name, model, decoder["targets"], "CAUSAL_LM", labelled, logits_of)


main()
