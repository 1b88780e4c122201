"""What the two scripts of docs/decisions/020 measure with: a Llama checkpoint, a function of 192 tokens, a head of two classes, and a distance."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

text = "int read(struct buffer *b, char *out, size_t n) { if (n > b->length) return -1; memcpy(out, b->data, n); return 0; }\n"
tokens = 192


def open_probe():
    """The model of the folder that the command line names, its weights frozen, with token ids [1, tokens] and the head [hidden, 2]."""
    folder = sys.argv[1]
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).model.requires_grad_(False)
    ids = AutoTokenizer.from_pretrained(folder)(text * 8, return_tensors="pt").input_ids[:, :tokens]
    torch.manual_seed(0)
    return model, ids, torch.randn(model.config.hidden_size, 2) * 0.02


def distance(found, expected):
    return ((found - expected).norm() / expected.norm()).item()
