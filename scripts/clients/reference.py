"""The functions and logits that clients are compared with, as main.ts writes them."""
import json

import numpy as np


def read(file):
    with open(file) as text:
        return json.load(text)


def batch(rows, pad):
    """Ids [functions, longest] padded on the right, and the mask of what is no padding."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def report(name, logits, reference):
    """Prints the largest difference and the largest magnitude, as JSON on one line."""
    expected = np.array(reference["logits"])
    difference = float(np.abs(np.asarray(logits, dtype=np.float64) - expected).max())
    print(json.dumps({"client": name, "largest": difference, "magnitude": float(np.abs(expected).max())}))
