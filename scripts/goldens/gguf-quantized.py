"""Blocks quantised by the gguf package, whose bytes are llama.cpp's: tests/golden/gguf-quantized.json.

    python scripts/goldens/gguf-quantized.py
"""
import base64
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import quantize

random = np.random.default_rng(1)
blocks = [random.normal(0, 10.0**exponent, (6, 32)) for exponent in (-6, -2, 0, 3)]
halves = np.arange(32, dtype=np.float32)[None] - 15.5  # ties of both types
edges = np.zeros((4, 32), np.float32)
edges[1, 3] = -2.5  # one value
edges[2] = 1e-42  # nothing but denormal numbers
edges[3] = np.where(np.arange(32) % 2 == 0, 7.0, -7.0)  # the first of equal magnitudes decides the sign
values = np.concatenate([*blocks, halves, 2 * halves, edges]).astype(np.float32)


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


with np.errstate(all="ignore"):
    golden = {"values": text(values), "q8_0": text(quantize(values, T.Q8_0)), "q4_0": text(quantize(values, T.Q4_0))}
file = pathlib.Path(__file__).parents[2] / "tests" / "golden" / "gguf-quantized.json"
file.write_text(json.dumps(golden, indent="\t") + "\n")
