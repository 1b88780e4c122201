"""The functions and logits that clients are compared with, as main.ts writes them."""
import json

import numpy as np


def read(file):
    with open(file) as text:
        return json.load(text)


def padded(rows, pad, side="right"):
    """Ids int64 [functions, longest] and the mask of what is no padding, which stands on that side."""
    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), pad, np.int64)
    mask = np.zeros_like(ids)
    for row, own in enumerate(rows):
        place = slice(0, len(own)) if side == "right" else slice(longest - len(own), longest)
        ids[row, place], mask[row, place] = own, 1
    return ids, mask


def batch(rows, pad):
    """The same as tensors of torch, padded on the right."""
    import torch

    return tuple(torch.from_numpy(array) for array in padded(rows, pad))


def report(name, logits, reference):
    """Prints the largest difference and the largest magnitude, as JSON on one line."""
    expected = np.array(reference["logits"])
    difference = float(np.abs(np.asarray(logits, dtype=np.float64) - expected).max())
    print(json.dumps({"client": name, "largest": difference, "magnitude": float(np.abs(expected).max())}))
