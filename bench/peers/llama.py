"""One step of PyTorch + transformers (+ PEFT, + bitsandbytes) on the CPU, over a batch of equal lengths without padding,
or (forward, with `lengths`) over all functions of given lengths, sorted by length into padded batches.

    python bench/peers/llama.py '{"task": "lora", "base": "bf16", "compiled": true, "batch": 4, "length": 128,
        "threads": 2, "config": {...}, "folder": null}'

task: `lora` (forward, backward, AdamW of adapters of rank 8 on all linear layers and of a classification head) or
`forward`. base: `fp32`, `bf16`, or `nf4-fp32` and `nf4-bf16` (bitsandbytes, with what it computes in). Without a folder
the weights are random, of the shape of the config.
"""

import os
import tempfile

from protocol import options, serve, skip

given = options()
os.environ["OMP_NUM_THREADS"] = str(given["threads"])
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

try:
    import torch
    import transformers
except ImportError as error:
    skip(f"{error.name} is not installed")

torch.set_num_threads(given["threads"])
torch.manual_seed(1)
transformers.logging.set_verbosity_error()

LABELS = 2
WARM_UP_STEPS = 2


def versions():
    found = {"torch": torch.__version__, "transformers": transformers.__version__}
    if given["task"] == "lora":
        import peft

        found["peft"] = peft.__version__
    if given["base"].startswith("nf4"):
        import bitsandbytes

        found["bitsandbytes"] = bitsandbytes.__version__
    return found


def model_folder():
    """The given one, or one with random weights, since bitsandbytes quantises while it loads."""
    if given["folder"] is not None:
        return given["folder"]
    folder = tempfile.mkdtemp(prefix="peer-")
    config = transformers.LlamaConfig(**given["config"], num_labels=LABELS, pad_token_id=2)
    transformers.LlamaForSequenceClassification(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def load_model():
    base = given["base"]
    computes = torch.bfloat16 if base.endswith("bf16") else torch.float32
    extra = {}
    if base.startswith("nf4"):
        extra["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=computes,
        )
        extra["device_map"] = "cpu"
    return transformers.LlamaForSequenceClassification.from_pretrained(
        model_folder(), num_labels=LABELS, pad_token_id=2, dtype=computes, attn_implementation="sdpa", **extra
    )


def with_adapters(model):
    import peft

    adapters = peft.LoraConfig(
        r=8,
        lora_alpha=32,
        lora_dropout=0.0,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        task_type="SEQ_CLS",
    )
    # adapters in the type of the base: the fastest setting of the peer
    return peft.get_peft_model(model, adapters, autocast_adapter_dtype=False)


def batch_of(model):
    generator = torch.Generator().manual_seed(1)
    size = (given["batch"], given["length"])
    # ids below 3 are special tokens, the padding among them
    ids = torch.randint(3, model.config.vocab_size, size, generator=generator)
    labels = torch.randint(0, LABELS, (given["batch"],), generator=generator)
    return ids, labels


def training_step(model):
    model.config.use_cache = False
    model = with_adapters(model)
    model.train()
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4)
    ids, labels = batch_of(model)
    runs = torch.compile(model) if given["compiled"] else model

    def step():
        loss = runs(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def padded_batches(model):
    """Batches of functions of like length: (ids, attention mask) [batch, longest]."""
    generator = torch.Generator().manual_seed(1)
    lengths = sorted(given["lengths"])
    batches = []
    for start in range(0, len(lengths), given["batch"]):
        part = lengths[start : start + given["batch"]]
        ids = torch.randint(3, model.config.vocab_size, (len(part), part[-1]), generator=generator)
        mask = torch.arange(part[-1])[None, :] < torch.tensor(part)[:, None]
        ids[~mask] = model.config.pad_token_id
        batches.append((ids, mask.long()))
    return batches


def forward_step(model):
    model.config.use_cache = False
    model.eval()
    mixed = "lengths" in given
    batches = padded_batches(model) if mixed else [(batch_of(model)[0], None)]
    runs = torch.compile(model, dynamic=mixed) if given["compiled"] else model

    def step():
        with torch.inference_mode():
            return sum(runs(input_ids=ids, attention_mask=mask).logits.sum().item() for ids, mask in batches)

    return step


def tokens_of_step():
    return sum(given["lengths"]) if "lengths" in given else given["batch"] * given["length"]


def main():
    try:
        found = versions()
    except ImportError as error:
        skip(f"{error.name} is not installed")
    model = load_model()
    step = training_step(model) if given["task"] == "lora" else forward_step(model)
    for _ in range(WARM_UP_STEPS):
        step()
    serve(step, tokens_of_step(), {"versions": found, "threads": torch.get_num_threads()})


main()
