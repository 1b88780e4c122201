"""Makes the goldens that parity is tested with where no larger set is at hand.

    python3 tests/golden/make.py

Needs Python alone. Writes tests/golden/fixtures in the layout of the larger set (a checkpoint, an adapter, batches, and what the
right answers are), so that the same tests read both. The numbers come from llama.py.
"""

import json
import math
import random
import shutil
import struct
from pathlib import Path

from llama import Llama, Node, backward, focal_loss, matrix_times, multiply, negative_log_probability, total, value_of

draw = random.Random(2026)
root = Path(__file__).parent / "fixtures"

config = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 23,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}
separator = 2
rank, alpha = 2, 4
modules = {
    "self_attn": {"q_proj": (16, 8), "k_proj": (8, 8), "v_proj": (8, 8), "o_proj": (8, 16)},
    "mlp": {"gate_proj": (12, 8), "up_proj": (12, 8), "down_proj": (8, 12)},
}


def exact(value):
    """The nearest number that float32 holds with room to spare: the same in every program that reads it."""
    return round(value * 512) / 512


def matrix(rows, columns, spread):
    return [[exact(draw.gauss(0, spread)) for _ in range(columns)] for _ in range(rows)]


def make_weights():
    weights = {"model.embed_tokens.weight": matrix(23, 8, 1), "lm_head.weight": matrix(23, 8, 0.5)}
    for layer in range(config["num_hidden_layers"]):
        for part, matrices in modules.items():
            for name, (rows, columns) in matrices.items():
                weights[f"model.layers.{layer}.{part}.{name}.weight"] = matrix(rows, columns, 0.4)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            weights[f"model.layers.{layer}.{norm}.weight"] = [exact(1 + draw.gauss(0, 0.2)) for _ in range(8)]
    weights["model.norm.weight"] = [exact(1 + draw.gauss(0, 0.2)) for _ in range(8)]
    return weights


def make_adapter():
    adapter = {}
    for layer in range(config["num_hidden_layers"]):
        for part, matrices in modules.items():
            for name, (rows, columns) in matrices.items():
                adapter[f"model.layers.{layer}.{part}.{name}.lora_A.weight"] = matrix(rank, columns, 0.4)
                adapter[f"model.layers.{layer}.{part}.{name}.lora_B.weight"] = matrix(rows, rank, 0.3)
    return adapter


def make_batch(rows):
    """Functions of these lengths, each closed by the separator; rows are padded with it to one width."""
    width = max(sum(length + 1 for length in lengths) for lengths in rows)
    batch = {"input_ids": [], "segment_ids": [], "position_ids": [], "pool": [], "labels": []}
    for row, lengths in enumerate(rows):
        ids, segments, positions = [], [], []
        for segment, length in enumerate(lengths):
            ids += [1] + [draw.randrange(3, 23) for _ in range(length - 1)] + [separator]
            batch["pool"].append([row, len(ids) - 2])
            batch["labels"].append(draw.randrange(2))
            segments += [segment] * (length + 1)
            positions += range(length + 1)
        padding = width - len(ids)
        batch["input_ids"].append(ids + [separator] * padding)
        batch["segment_ids"].append(segments + [-1] * padding)
        batch["position_ids"].append(positions + [0] * padding)
    return batch


def row_states(model, batch, row, is_leaky=False):
    """[T][H] of a row's tokens before its padding."""
    segments = [s for s in batch["segment_ids"][row] if s >= 0]
    ids = batch["input_ids"][row][: len(segments)]
    if is_leaky:
        return model.states(ids, range(len(ids)), [0] * len(ids))[1]
    starts = [segments.index(s) for s in segments]
    return model.states(ids, batch["position_ids"][row][: len(ids)], starts)[1]


def function_logits(model, head, batch):
    rows = [row_states(model, batch, row) for row in range(len(batch["input_ids"]))]
    return [matrix_times(head, rows[row][column]) for row, column in batch["pool"]]


def focal_losses(model, head, batch, gamma, weights, is_detached=False):
    logits = function_logits(model, head, batch)
    return [
        focal_loss(values, label, gamma, weights[label], is_detached) for values, label in zip(logits, batch["labels"])
    ]


def next_token_labels(batch, with_separator):
    labels = []
    for ids, segments in zip(batch["input_ids"], batch["segment_ids"]):
        following = []
        for t in range(len(ids)):
            is_inside = t + 1 < len(ids) and segments[t] >= 0 and segments[t + 1] == segments[t]
            is_wanted = is_inside and (with_separator or ids[t + 1] != separator)
            following.append(ids[t + 1] if is_wanted else -100)
        labels.append(following)
    return labels


def nodes_of(tensors):
    return {name: [[Node(value) for value in row] for row in rows] for name, rows in tensors.items()}


def gradients_of(loss, trained):
    backward(loss)
    return {name: [[x.gradient for x in row] for row in rows] for name, rows in trained.items()}


def norm_of(gradients):
    return math.sqrt(sum(x * x for rows in gradients.values() for row in rows for x in row))


def numbers(values):
    if isinstance(values, (list, tuple, range)):
        return [x for value in values for x in numbers(value)]
    return [value_of(values)]


def shape_of(values):
    return [len(values), *shape_of(values[0])] if isinstance(values, (list, tuple, range)) else []


def write_tensors(file, tensors):
    header, parts, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, (kind, values) in tensors.items():
        flat = numbers(values)
        data = struct.pack(f"<{len(flat)}{'i' if kind == 'I32' else 'f'}", *flat)
        header[name] = {"dtype": kind, "shape": shape_of(values), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def write_json(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent="\t") + "\n")


def floats(tensors, prefix=""):
    return {f"{prefix}{name}": ("F32", values) for name, values in tensors.items()}


def write_adapter(folder, adapter, head):
    write_json(
        folder / "adapter_config.json",
        {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": "models/llama",
            "r": rank,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": sorted(name for matrices in modules.values() for name in matrices),
        },
    )
    write_tensors(folder / "adapter_model.safetensors", floats(adapter, "base_model.model."))
    write_tensors(folder / "head.safetensors", {"weight": ("F32", head)})


def write_model(weights):
    folder = root / "models/llama"
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", floats(weights))
    model = Llama(config, weights)
    ids = [1] + [draw.randrange(3, 23) for _ in range(10)]
    hidden, final = model.states(ids, range(len(ids)), [0] * len(ids))
    batch = make_batch([[4, 1, 6], [9, 2]])
    width = len(batch["input_ids"][0])
    padded = lambda rows: [row + [[0.0] * 8] * (width - len(row)) for row in rows]
    isolated = padded([row_states(model, batch, row) for row in range(2)])
    leaky = padded([row_states(model, batch, row, is_leaky=True) for row in range(2)])
    write_tensors(
        folder / "golden.safetensors",
        {
            "single.input_ids": ("I32", [ids]),
            **{f"single.hidden.{k}": ("F32", [states]) for k, states in enumerate(hidden)},
            "single.final": ("F32", [final]),
            "single.logits": ("F32", [[matrix_times(weights["lm_head.weight"], x) for x in final]]),
            "packed.isolated.final": ("F32", isolated),
            "packed.isolated.last_hidden": ("F32", [isolated[row][column] for row, column in batch["pool"]]),
            "packed.leaky.final": ("F32", leaky),
        },
    )
    packed = {key: batch[key] for key in ("input_ids", "segment_ids", "position_ids")}
    write_json(folder / "golden.json", {"packed": {**packed, "pool_row_col": batch["pool"]}})


def write_gradients(folder, weights, adapter, head, batch):
    tensors, focal = {}, []
    scale = alpha / rank
    for gamma in (0.0, 1.0, 2.0):
        for class_weights in (None, [0.25, 0.75], [0.5, 5.0]):
            model = Llama(config, weights, adapter, scale)
            losses = numbers(focal_losses(model, head, batch, gamma, class_weights or [1, 1]))
            focal.append({"gamma": gamma, "alpha": class_weights, "per_function": losses, "sum": sum(losses)})
    golden = {"base_model": "models/llama", "focal": focal, "clm": {}}
    for kind in ("full", "detached"):
        trained = nodes_of({**adapter, "head.weight": head})
        model = Llama(config, weights, trained, scale)
        losses = focal_losses(model, trained["head.weight"], batch, 1.0, [1, 1], kind == "detached")
        gradients = gradients_of(total(losses), trained)
        if kind == "full":
            golden["grad_norm_focal1_sum_full"] = norm_of(gradients)
        tensors |= named_gradients(gradients, f"grad.focal1_sum.{kind}.")
    for kind in ("with_sep", "without_sep"):
        trained = nodes_of(adapter)
        model = Llama(config, weights, trained, scale)
        labels = next_token_labels(batch, kind == "with_sep")
        losses = []
        for row, wanted in enumerate(labels):
            for state, label in zip(row_states(model, batch, row), wanted):
                if label != -100:
                    losses.append(negative_log_probability(matrix_times(weights["lm_head.weight"], state), label))
        summed = total(losses)
        mean = multiply(summed, 1 / len(losses))
        tensors |= named_gradients(gradients_of(mean, trained), f"grad.clm_mean.{kind}.")
        golden["clm"][kind] = {"sum": summed.value, "tokens": len(losses), "labels_of_position": labels}
    write_json(folder / "golden.json", golden)
    write_tensors(folder / "golden.safetensors", tensors)


def named_gradients(gradients, prefix):
    return {
        f"{prefix}{name if name == 'head.weight' else f'base_model.model.{name}'}": ("F32", rows)
        for name, rows in gradients.items()
    }


def write_trajectory(folder, weights, adapter, head):
    settings = {"name": "AdamW", "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05}
    steps, accumulation, clip = 5, 2, 1.0
    batches = [make_batch([[draw.randrange(2, 6) for _ in range(2)]]) for _ in range(steps * accumulation)]
    variants = {
        "full": {"gamma": 1.0, "alpha": None, "reduction": "sum", "gradient": "full"},
        "detached": {"gamma": 1.0, "alpha": None, "reduction": "sum", "gradient": "detached"},
        "mean_weighted": {"gamma": 2.0, "alpha": [0.25, 0.75], "reduction": "mean", "gradient": "full"},
    }
    golden = {
        "optimizer": settings,
        "max_grad_norm": clip,
        "accumulation": accumulation,
        "micro_batches": batches,
        "variants": {},
    }
    for name, loss in variants.items():
        records, final = train(weights, {**adapter, "head.weight": head}, batches, loss, settings, clip, steps)
        golden["variants"][name] = {"loss": loss, "steps": records}
        final_head = final.pop("head.weight")
        write_adapter(folder / f"final_{name}", final, final_head)
    write_json(folder / "trajectory.json", golden)


def train(weights, start, batches, loss, settings, clip, steps):
    """AdamW (Loshchilov and Hutter, 2019) after the norm of all gradients is clipped; one warm-up step, then half a cosine."""
    values = {name: [list(row) for row in rows] for name, rows in start.items()}
    first = {name: [[0.0] * len(row) for row in rows] for name, rows in start.items()}
    second = {name: [[0.0] * len(row) for row in rows] for name, rows in start.items()}
    accumulation = len(batches) // steps
    beta1, beta2 = settings["betas"]
    records = []
    for step in range(1, steps + 1):
        trained = nodes_of(values)
        model = Llama(config, weights, trained, alpha / rank)
        sums = []
        for batch in batches[(step - 1) * accumulation : step * accumulation]:
            losses = focal_losses(
                model,
                trained["head.weight"],
                batch,
                loss["gamma"],
                loss["alpha"] or [1, 1],
                loss["gradient"] == "detached",
            )
            count = len(losses) if loss["reduction"] == "mean" else 1
            sums.append(multiply(total(losses), 1 / (count * accumulation)))
        summed = total(sums)
        gradients = gradients_of(summed, trained)
        norm = norm_of(gradients)
        shrink = min(1.0, clip / (norm + 1e-6))
        done = (step - 2) / (steps - 1)
        rate = 0.0 if step == 1 else settings["lr"] * 0.5 * (1 + math.cos(math.pi * done))
        for name, rows in values.items():
            for i, row in enumerate(rows):
                for j, value in enumerate(row):
                    g = gradients[name][i][j] * shrink
                    m = first[name][i][j] = beta1 * first[name][i][j] + (1 - beta1) * g
                    v = second[name][i][j] = beta2 * second[name][i][j] + (1 - beta2) * g * g
                    update = (m / (1 - beta1**step)) / (math.sqrt(v / (1 - beta2**step)) + settings["eps"])
                    row[j] = value * (1 - rate * settings["weight_decay"]) - rate * update
        records.append({"step": step, "lr": rate, "loss": summed.value, "grad_norm_before_clip": norm})
    return records, values


def main():
    shutil.rmtree(root, ignore_errors=True)
    weights, adapter, head = make_weights(), make_adapter(), matrix(2, 8, 0.5)
    write_model(weights)
    folder = root / "training/llama"
    write_adapter(folder / "adapter", adapter, head)
    batch = make_batch([[5, 2, 4], [7, 1]])
    write_json(folder / "batch.json", batch)
    write_gradients(folder, weights, adapter, head, batch)
    write_trajectory(folder, weights, adapter, head)


main()
