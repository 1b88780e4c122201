"""Loads a GGUF file with llama.cpp: largest difference of the logits from the reference; a classifier's head is applied to the pooled state.

    python llama_cpp_file.py MODEL.gguf reference.json
"""
import os
import sys

import llama_cpp
import numpy as np
from reference import read, report
from safetensors.numpy import load_file

# llama.cpp's layout for AMX ends the process on machines that have the instructions and don't let them be used
default_params = llama_cpp.llama_model_default_params


def plain_params():
    params = default_params()
    params.use_extra_bufts = False
    return params


llama_cpp.llama_cpp.llama_model_default_params = plain_params

file, reference = sys.argv[1], read(sys.argv[2])
of_class = reference["objective"] == "class"
model = llama_cpp.Llama(file, embedding=of_class, logits_all=not of_class, n_ctx=128, n_gpu_layers=0, verbose=False)
for text, expected in zip(reference["texts"], reference["tokens"]):
    found = model.tokenize(text.encode(), add_bos=False, special=False)
    if found != expected:
        raise SystemExit(f"llama.cpp makes other tokens of {text!r}: {found} instead of {expected}")


def state_of(ids):
    """The pooled state of a text, as the file's pooling_type says."""
    context = model._ctx.ctx
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    model._batch.reset()
    model._batch.add_sequence(ids, 0, True)
    model._ctx.decode(model._batch)
    return np.array(llama_cpp.llama_get_embeddings_seq(context, 0)[: model.n_embd()], dtype=np.float64)


def next_token(ids):
    model.reset()
    model.eval(ids)
    return np.array(model.scores[len(ids) - 1], dtype=np.float64)


if of_class:
    head = load_file(file + ".head.safetensors")
    states = np.stack([state_of(ids) for ids in reference["ids"]])
    if "score.dense.weight" in head:
        states = np.tanh(states @ head["score.dense.weight"].T + head["score.dense.bias"])
    logits = states @ head["score.weight"].T
else:
    logits = np.stack([next_token(ids) for ids in reference["ids"]])
report(f"llama.cpp {llama_cpp.__version__}, {os.path.basename(file)}", logits, reference)
