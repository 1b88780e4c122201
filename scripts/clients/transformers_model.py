"""Opens a merged or 4-bit model with transformers: largest difference of the logits from the reference.

    python transformers_model.py MODEL_FOLDER reference.json
"""
import sys

import torch
from reference import batch, read, report
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

folder, reference = sys.argv[1], read(sys.argv[2])
of_class = reference["objective"] == "class"
kind = AutoModelForSequenceClassification if of_class else AutoModelForCausalLM
model, loading = kind.from_pretrained(folder, output_loading_info=True)
missing = [name for name in loading["missing_keys"] if "position_ids" not in name]
if missing:
    raise SystemExit(f"transformers made these anew: {missing}")
model.eval()
# the tokenizer makes the same ids, padding is where the model expects it
tokenizer = AutoTokenizer.from_pretrained(folder)
encoded = tokenizer(reference["texts"], add_special_tokens=False)["input_ids"]
if encoded != reference["tokens"]:
    raise SystemExit("the tokenizer makes other ids")
pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else model.config.pad_token_id
ids, mask = batch(reference["ids"], pad)


def logits_of(model):
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits.float()
    return logits if of_class else logits[torch.arange(len(ids)), mask.sum(1) - 1]


name = f"{type(model).__name__} of transformers"
if getattr(model.config, "quantization_config", None) is None:
    report(name, logits_of(model).numpy(), reference)
else:
    # bitsandbytes multiplies in bfloat16 on a CPU: the values that it restores are compared too
    report(f"{name}, 4 bits, as bitsandbytes computes", logits_of(model).numpy(), reference)
    # which is done on a model that has not computed yet: computing puts the codes into another order
    restored = kind.from_pretrained(folder).dequantize().eval()
    report(f"{name}, 4 bits, restored", logits_of(restored).numpy(), reference)
