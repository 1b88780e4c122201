"""Runs an ONNX classifier with onnxruntime: largest difference of the logits from the reference, one function at a time and in batches.

    python onnx_file.py MODEL.onnx reference.json
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime
from reference import padded, read, report

file, reference = sys.argv[1], read(sys.argv[2])
onnx.checker.check_model(file, full_check=True)
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def logits_of(rows, side):
    ids, mask = padded(rows, reference["pad"], side)
    (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
    return logits


name = f"onnxruntime {onnxruntime.__version__}" + (", weights beside it" if os.path.exists(file + ".data") else "")
single = np.concatenate([logits_of([row], "right") for row in reference["ids"]])
report(f"{name}, one at a time", single, reference)
for side in ("right", "left"):
    report(f"{name}, a batch padded on the {side}", logits_of(reference["ids"], side), reference)
