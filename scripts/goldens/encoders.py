"""Makes the goldens of encoders that the small set has: hidden states, gradients and training steps of transformers and PEFT.

    $VULNTUNE_PYTHON scripts/goldens/encoders.py

Needs torch, transformers, peft and safetensors (fetches nothing). Writes tests/golden/fixtures/models/NAME and .../training/NAME in the
layout of the larger set, from models of a few hundred weights that are drawn at random.
"""

import torch
from common import ROOT, draw_weights, observed, save, training_golden, write
from transformers import AutoConfig, AutoModel

CLS, SEP, PAD, VOCABULARY = 1, 2, 0, 29
LENGTHS = [11, 4, 1, 7]
PACKED = [[6, 2, 9], [1, 12, 3]]


def modern_bert(own):
    return {
        "architectures": ["ModernBertModel"],
        "model_type": "modernbert",
        "vocab_size": VOCABULARY,
        "hidden_size": 8,
        "intermediate_size": 6,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
        "norm_eps": 1e-5,
        "pad_token_id": PAD,
        "bos_token_id": CLS,
        "cls_token_id": CLS,
        "eos_token_id": SEP,
        "sep_token_id": SEP,
    } | own


ENCODERS = {
    # ids of token types and positions count from 0, unlike RoBERTa's
    "bert": {
        "targets": ["query", "value", "intermediate.dense", "output.dense"],
        "config": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "vocab_size": VOCABULARY,
            "hidden_size": 8,
            "intermediate_size": 12,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "hidden_act": "gelu",
            "max_position_embeddings": 32,
            "type_vocab_size": 2,
            "layer_norm_eps": 1e-12,
            "pad_token_id": PAD,
            "position_embedding_type": "absolute",
        },
    },
    # config.json as transformers 4 wrote it; the stretch of a local layer is shorter than the texts
    "modernbert": {
        "targets": ["Wqkv", "Wi", "Wo"],
        "config": modern_bert(
            {"global_attn_every_n_layers": 2, "global_rope_theta": 160.0, "local_rope_theta": 10.0, "local_attention": 6}
        ),
    },
    # and as transformers 5 does, with layers in another order, biases, and the other GELU
    "modernbert-v5": {
        "config": modern_bert(
            {
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
                "rope_parameters": {
                    "full_attention": {"rope_theta": 50.0, "rope_type": "default"},
                    "sliding_attention": {"rope_theta": 5.0, "rope_type": "default"},
                },
                "local_attention": 4,
                **{name: True for name in ("attention_bias", "mlp_bias", "norm_bias")},
                "hidden_activation": "gelu_new",
            }
        ),
    },
}


def words(count):
    return [CLS, *torch.randint(3, VOCABULARY, (count,)).tolist(), SEP]


def padded(rows):
    width = max(map(len, rows))
    return {
        "input_ids": [row + [PAD] * (width - len(row)) for row in rows],
        "attention_mask": [[1] * len(row) + [0] * (width - len(row)) for row in rows],
    }


def states(model, layers, batch):
    """What enters the first layer, what leaves each, and the final states; 0 at padding."""
    ids, mask = torch.tensor(batch["input_ids"]), torch.tensor(batch["attention_mask"])
    seen, final = observed(layers, lambda: model(input_ids=ids, attention_mask=mask).last_hidden_state)
    return [hidden * mask[..., None] for hidden in seen], final * mask[..., None]


def model_golden(folder, model, layers):
    batch = padded([words(length) for length in LENGTHS])
    hidden, final = states(model, layers, batch)
    tensors = {f"batch.hidden.{index}": value for index, value in enumerate(hidden)} | {"batch.final": final}
    # functions of a pack see themselves alone: each is what it is by itself
    rows = [[words(length) for length in lengths] for lengths in PACKED]
    width = max(sum(map(len, row)) for row in rows)
    packed = {"input_ids": [], "segment_ids": [], "position_ids": []}
    isolated, firsts = torch.zeros(len(rows), width, model.config.hidden_size), []
    for r, row in enumerate(rows):
        ids, segments, positions = [], [], []
        for segment, function in enumerate(row):
            alone = states(model, layers, padded([function]))[1][0]
            isolated[r, len(ids) : len(ids) + len(function)] = alone
            firsts.append(alone[0])
            ids += function
            segments += [segment] * len(function)
            positions += range(len(function))
        padding = width - len(ids)
        packed["input_ids"].append(ids + [PAD] * padding)
        packed["segment_ids"].append(segments + [-1] * padding)
        packed["position_ids"].append(positions + [0] * padding)
    tensors |= {"packed.isolated.final": isolated, "packed.isolated.cls": torch.stack(firsts)}
    write(folder / "golden.json", {"batch": batch, "packed": packed})
    save(folder / "golden.safetensors", tensors)


def labelled(lengths):
    return padded([words(length) for length in lengths]) | {
        "pool": [[row, 0] for row in range(len(lengths))],
        "labels": torch.randint(0, 2, (len(lengths),)).tolist(),
    }


def logits_of(model, head, batch):
    ids, mask = torch.tensor(batch["input_ids"]), torch.tensor(batch["attention_mask"])
    return model(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0] @ head.T


def layers_of(model):
    return model.encoder.layer if hasattr(model, "encoder") else model.layers


def main():
    torch.set_num_threads(1)
    for name, encoder in ENCODERS.items():
        torch.manual_seed(2026)
        folder = ROOT / "models" / name
        write(folder / "config.json", encoder["config"])
        model = AutoModel.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager").eval()
        draw_weights(model)
        with torch.no_grad():
            model_golden(folder, model, layers_of(model))
        save(folder / "model.safetensors", dict(model.state_dict()))
        if "targets" in encoder:
            targets = encoder["targets"]
            training_golden(ROOT / "training" / name, name, model, targets, "FEATURE_EXTRACTION", labelled, logits_of)


main()
