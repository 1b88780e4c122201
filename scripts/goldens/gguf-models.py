"""Tiny GGUF files of architectures that the larger set of goldens lacks, and the logits that llama.cpp gives for them.

    "$VULNTUNE_PYTHON" scripts/goldens/gguf-models.py tests/golden/gguf

Needs torch 2.15, transformers 5.24, gguf 0.19 and llama-cpp-python 0.3.36. Random weights, in F32; norms and biases far from their
usual start. Names of tensors come from the gguf package, the numbers are compared with transformers' before anything is written.
"""

import json
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch
import transformers

output = Path(sys.argv[1])
ids = [3, 17, 5, 8, 8, 31, 0, 39]
shape = dict(vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
ends = dict(bos_token_id=0, eos_token_id=0)
llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)

models = {
    "llama-biases": (
        gguf.MODEL_ARCH.LLAMA,
        transformers.LlamaConfig(**shape, **ends, max_position_embeddings=256, attention_bias=True, tie_word_embeddings=True),
    ),
    "llama-linear": (
        gguf.MODEL_ARCH.LLAMA,
        transformers.LlamaConfig(
            **shape, **ends, max_position_embeddings=256, rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0)
        ),
    ),
    "llama3": (
        gguf.MODEL_ARCH.LLAMA,
        transformers.LlamaConfig(
            **shape, **ends, max_position_embeddings=256, head_dim=16, rope_parameters=dict(**llama3, rope_theta=500000.0)
        ),
    ),
    "qwen2": (gguf.MODEL_ARCH.QWEN2, transformers.Qwen2Config(**shape, **ends, max_position_embeddings=256, tie_word_embeddings=True)),
    "qwen3": (gguf.MODEL_ARCH.QWEN3, transformers.Qwen3Config(**shape, **ends, max_position_embeddings=256, head_dim=8)),
    "starcoder2": (
        gguf.MODEL_ARCH.STARCODER2,
        transformers.Starcoder2Config(**shape, **ends, max_position_embeddings=256, sliding_window=4096, tie_word_embeddings=True),
    ),
    "starcoder": (
        gguf.MODEL_ARCH.STARCODER,
        transformers.GPTBigCodeConfig(vocab_size=40, n_positions=64, n_embd=16, n_layer=2, n_head=4, n_inner=24, **ends),
    ),
}


def interleave(values, heads):
    """llama.cpp's order of the rows of q and k."""
    rows = values.shape[0] // heads
    return values.reshape(heads, 2, rows // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def llama3_factors(config):
    head = config.head_dim
    inverse = 1.0 / (config.rope_parameters["rope_theta"] ** (np.arange(0, head, 2) / head))
    scaling = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0].numpy()
    return (inverse / scaling).astype(np.float32)


def write(path, arch, config, state):
    name = gguf.MODEL_ARCH_NAMES[arch]
    writer = gguf.GGUFWriter(path, name)
    is_starcoder = name == "starcoder"
    heads = config.num_attention_heads
    kv = 1 if is_starcoder else config.num_key_value_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.n_inner if is_starcoder else config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv)
    writer.add_vocab_size(config.vocab_size)
    if hasattr(config, "rms_norm_eps"):
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    else:
        writer.add_layer_norm_eps(config.layer_norm_epsilon if is_starcoder else config.norm_epsilon)
    if not is_starcoder:
        parameters = config.rope_parameters
        writer.add_rope_freq_base(parameters["rope_theta"])
        head = getattr(config, "head_dim", None) or config.hidden_size // heads
        writer.add_rope_dimension_count(head)
        if getattr(config, "head_dim", None):
            writer.add_key_length(head)
            writer.add_value_length(head)
        if parameters["rope_type"] == "linear":
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(parameters["factor"])
        if parameters["rope_type"] == "llama3":
            writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    writer.add_tokenizer_model("none")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for full, tensor in state.items():
        if full == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = tensor.numpy()
        if name == "llama" and ".q_proj." in full:
            values = interleave(values, heads)
        if name == "llama" and ".k_proj." in full:
            values = interleave(values, kv)
        writer.add_tensor(names.get_name(full, try_suffixes=(".weight", ".bias")), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_cpp_logits(path):
    model = llama_cpp.Llama(str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=1, type_k=0, type_v=0)
    model.eval(ids)
    return np.array(model.scores[: len(ids)], dtype=np.float32)


golden = {"input_ids": ids, "files": {}}
output.mkdir(exist_ok=True)
for index, (title, (arch, config)) in enumerate(models.items()):
    torch.manual_seed(100 + index)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for full, parameter in model.named_parameters():
            mean = 1.0 if "norm" in full and full.endswith("weight") or ".ln_" in full and full.endswith("weight") else 0.0
            parameter.copy_(torch.randn_like(parameter) * 0.25 + mean)
        expected = model(torch.tensor([ids])).logits[0].numpy()
    path = output / f"{title}.gguf"
    write(path, arch, config, {full: tensor.detach() for full, tensor in model.state_dict().items()})
    found = llama_cpp_logits(path)
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    print(f"{title}: llama.cpp against transformers {difference:.1e} of the largest logit, {path.stat().st_size} bytes", file=sys.stderr)
    # llama.cpp's GELU goes through a table in half precision
    assert difference < (2e-3 if "starcoder" in title else 2e-5), title
    golden["files"][path.name] = {"model_type": config.model_type, "logits": [[round(float(x), 6) for x in row] for row in expected]}
(output / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
