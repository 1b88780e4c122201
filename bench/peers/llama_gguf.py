"""Writes a Llama model as a GGUF file for llama.cpp, without its tokenizer: from a Hugging Face folder, or with random
weights of a config's shape.

    python bench/peers/llama_gguf.py FOLDER Q4_0 model.gguf

Matrices are in the given type (BF16, F16, Q8_0, Q4_0), norms in F32; the embedding, which is the output matrix too, is in
Q8_0 beside Q4_0.
"""

import json
import os
import sys

import gguf
import numpy as np
from gguf.quants import quantize

BLOCK_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def tensor_shapes(config):
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    head_dim = hidden // config["num_attention_heads"]
    keys = config["num_key_value_heads"] * head_dim
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        sizes = [(hidden, hidden), (keys, hidden), (keys, hidden), (hidden, hidden)]
        sizes += [(wide, hidden), (wide, hidden), (hidden, wide), (hidden,), (hidden,)]
        for name, size in zip(BLOCK_NAMES, sizes):
            shapes[f"{prefix}{name}.weight"] = size
    return shapes


def random_tensors(config):
    generator = np.random.default_rng(1)
    for name, shape in tensor_shapes(config).items():
        ones = len(shape) == 1
        yield name, np.ones(shape, np.float32) if ones else generator.standard_normal(shape, np.float32) * 0.02


def stored_tensors(folder, config):
    import torch
    from safetensors import safe_open

    with safe_open(os.path.join(folder, "model.safetensors"), "pt") as file:
        for name in tensor_shapes(config):
            yield name, file.get_tensor(name).to(torch.float32).numpy()


def pairs_together(weight, heads):
    """llama.cpp rotates neighbours, Hugging Face's models the halves of a head."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_name(name):
    outside = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in outside:
        return outside[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{BLOCK_NAMES[rest.removesuffix('.weight')]}.weight"


def write_gguf(config, folder, type_name, path):
    """Writes the file; without a folder the weights are random."""
    heads, keys = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(keys)
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    matrices = gguf.GGMLQuantizationType[type_name]
    embedding = gguf.GGMLQuantizationType.Q8_0 if type_name == "Q4_0" else matrices
    tensors = random_tensors(config) if folder is None else stored_tensors(folder, config)
    for name, values in tensors:
        if "q_proj" in name or "k_proj" in name:
            values = pairs_together(values, heads if "q_proj" in name else keys)
        kind = embedding if name == "model.embed_tokens.weight" else matrices
        if values.ndim == 1:
            kind = gguf.GGMLQuantizationType.F32
        writer.add_tensor(gguf_name(name), quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    with open(os.path.join(sys.argv[1], "config.json")) as file:
        write_gguf(json.load(file), sys.argv[1], sys.argv[2], sys.argv[3])
