"""
What activations in 16 bits cost a model: the error of a residual stream in bfloat16, and the gradients that fp16 would lose.

    python scripts/activation-types.py FOLDER

FOLDER is a Llama checkpoint as transformers reads it; docs/decisions/020 has what it says of SmolLM2-135M.
"""

import torch
from probe import distance, open_probe, tokens
from torch.nn.functional import cross_entropy

model, ids, head = open_probe()


def rounded(x):
    return x.bfloat16().float()


def parts(layer):
    attention, mlp = layer.self_attn, layer.mlp
    return {
        "norm": layer.input_layernorm,
        "norm of the mlp": layer.post_attention_layernorm,
        "query": attention.q_proj,
        "key": attention.k_proj,
        "value": attention.v_proj,
        "output": attention.o_proj,
        "gate": mlp.gate_proj,
        "up": mlp.up_proj,
        "down": mlp.down_proj,
    }


def run(of_parts, of_residual):
    """Last state, gradient at the embeddings and at each kind of part; the functions round what they are given."""
    gradients, largest = {}, 0.0

    def watch(kind):
        def hook(_module, _inputs, output):
            nonlocal largest
            largest = max(largest, output.detach().abs().max().item())
            output.register_hook(lambda gradient: gradients.setdefault(kind, []).append(gradient.clone()))
            return of_parts(output)

        return hook

    hooks = [part.register_forward_hook(watch(kind)) for layer in model.layers for kind, part in parts(layer).items()]
    # what attention and the product of gate and up give
    for layer in model.layers:
        for module in (layer.self_attn.o_proj, layer.mlp.down_proj):
            hooks.append(module.register_forward_pre_hook(lambda _module, inputs: (of_parts(inputs[0]),)))
    x = embedded = of_residual(model.embed_tokens(ids)).requires_grad_(True)
    angles = model.rotary_emb(x, torch.arange(tokens)[None])
    mask = torch.full((tokens, tokens), float("-inf")).triu(1)[None, None]
    for layer in model.layers:
        normed = layer.input_layernorm(x)
        x = of_residual(x + layer.self_attn(normed, position_embeddings=angles, attention_mask=mask)[0])
        x = of_residual(x + layer.mlp(layer.post_attention_layernorm(x)))
        largest = max(largest, x.detach().abs().max().item())
    state = of_parts(model.norm(x))[0, -1]
    cross_entropy((state @ head)[None], torch.tensor([1])).backward()
    for hook in hooks:
        hook.remove()
    return state.detach(), embedded.grad, gradients, largest


def same(x):
    return x


state, gradient, gradients, largest = run(same, same)
for name, of_residual in (("float32", same), ("bfloat16", rounded)):
    narrow = run(rounded, of_residual)
    print(f"residual stream in {name}: last state off by {distance(narrow[0], state):.1%}, ", end="")
    print(f"gradient at the embeddings by {distance(narrow[1], gradient):.1%}")
print(f"largest activation: {largest:.0f}")
for functions in (1, 16, 128):
    lost = {}
    for kind, found in gradients.items():
        values = torch.cat([one.flatten() for one in found]) / functions
        values = values[values != 0]
        lost[kind] = (values.half() == 0).float().mean().item()
    shares = ", ".join(f"{kind} {share:.1%}" for kind, share in lost.items())
    print(f"loss over {functions} functions, gradients that become 0 in fp16: {shares}")
