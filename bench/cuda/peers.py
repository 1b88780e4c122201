"""What PyTorch does on the same card, as JSON lines on the standard output: peers.py matmul|attention|copy|step|qlora [numbers]."""

import json
import sys

import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel


def milliseconds(run, repeats=15):
    """The median time of a call, by events."""
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def matmul(sizes):
    """Of 16 bits as this card's tensor cores have them."""
    halves = torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16
    for size in sizes:
        m, n, k = (int(number) for number in size.split("x"))
        x = torch.randn(m, k, device="cuda").to(halves)
        w = torch.randn(n, k, device="cuda").to(halves)
        yield {"size": size, "milliseconds": milliseconds(lambda: x @ w.t(), 5 if m * n * k > 3e11 else 15)}


def copy(sizes):
    source = torch.empty(int(sizes[0]), device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    yield {"milliseconds": milliseconds(lambda: target.copy_(source), 5)}


def attention(sizes):
    """Causal attention over functions of equal length: [functions]x[tokens]x[heads]x[head size]."""
    for size in sizes:
        functions, tokens, heads, width = (int(number) for number in size.split("x"))
        q, k, v = (
            torch.randn(functions, heads, tokens, width, device="cuda", dtype=torch.bfloat16, requires_grad=True)
            for _ in range(3)
        )
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            run = lambda: functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            forward = milliseconds(run)
            out = run()
            upstream = torch.randn_like(out)
            backward = milliseconds(lambda: torch.autograd.grad(out, (q, k, v), upstream, retain_graph=True))
        yield {"size": size, "forward": forward, "backward": backward}


def step(sizes, quantized=False):
    """A LoRA step of PEFT in bfloat16 over one sequence: [layers]x[hidden]x[intermediate]x[heads]x[tokens]."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaModel

    for size in sizes:
        layers, hidden, intermediate, heads, tokens = (int(number) for number in size.split("x"))
        config = LlamaConfig(
            hidden_size=hidden,
            intermediate_size=intermediate,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            vocab_size=32016,
        )
        torch.set_default_dtype(torch.bfloat16)
        with torch.device("cuda"):
            model = LlamaModel(config)
        torch.set_default_dtype(torch.float32)
        if quantized:
            in_nf4(model)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=32, lora_dropout=0.05, target_modules=targets))
        model.train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, fused=True)
        ids = torch.randint(0, 32000, (1, tokens), device="cuda")

        def run(autocast):
            with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
                loss = model(input_ids=ids, use_cache=False).last_hidden_state.float().pow(2).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        # adapters in float32, as PEFT makes them, or cast for each product: the faster counts
        plain, cast = (milliseconds(lambda: run(autocast), 7) for autocast in (False, True))
        row = {"size": size, "milliseconds": min(plain, cast), "plain": plain, "autocast": cast}
        yield {**row, "peakBytes": torch.cuda.max_memory_allocated()}
        del model, optimizer


def qlora(sizes):
    """The same on a base in NF4 with double quantisation, of bitsandbytes."""
    yield from step(sizes, quantized=True)


def in_nf4(model):
    """Each linear layer's matrix, one after another, so that no more than one lies there twice."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    for name, layer in list(model.named_modules()):
        if not isinstance(layer, torch.nn.Linear):
            continue
        with torch.device("meta"):
            quantized = Linear4bit(
                layer.in_features, layer.out_features, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4"
            )
        quantized.weight = Params4bit(
            layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
        )
        model.set_submodule(name, quantized.to("cuda"))
    model.is_loaded_in_4bit = True  # what PEFT goes by


if __name__ == "__main__":
    for row in {"matmul": matmul, "copy": copy, "attention": attention, "step": step}[sys.argv[1]](sys.argv[2:]):
        print(json.dumps(row), flush=True)
