"""Opens an adapter on its base with peft: largest difference of the logits from the reference.

    python peft_adapter.py ADAPTER_FOLDER BASE_FOLDER reference.json
"""
import sys

import torch
from peft import PeftModel
from reference import batch, read, report
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

adapter, folder, reference = sys.argv[1], sys.argv[2], read(sys.argv[3])
of_class = reference["objective"] == "class"
kind = AutoModelForSequenceClassification if of_class else AutoModelForCausalLM
base = kind.from_pretrained(folder, dtype=torch.float32)
base.config.pad_token_id = reference["pad"]
model = PeftModel.from_pretrained(base, adapter).eval()
ids, mask = batch(reference["ids"], reference["pad"])
with torch.no_grad():
    logits = model(input_ids=ids, attention_mask=mask).logits.float()
if not of_class:
    logits = logits[torch.arange(len(ids)), mask.sum(1) - 1]
report(f"peft on {type(base).__name__}", logits.numpy(), reference)
