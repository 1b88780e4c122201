"""
What operands of products in 16 bits cost a model's linear layers, everything else in float32: bfloat16 beside float16, whose numbers are taken as
they are, divided by a power of two for each matrix, or for each row or column that is not summed over, as cards of capability 7.5 have it.

    python scripts/float16-products.py FOLDER

FOLDER is a Llama checkpoint as transformers reads it; docs/decisions/020 has what it says of SmolLM2-135M.
"""

import torch
from probe import distance, open_probe
from torch.nn.functional import cross_entropy

functions = 128
model, ids, head = open_probe()


def divided(x, largest):
    """Rounded to float16 with the largest magnitude between 2^14 and 2^15."""
    power = torch.exp2(torch.floor(torch.log2(largest.clamp(min=2.0**-112))) - 14)
    return (x / power).half().float() * power


# of a matrix and the axis that is not summed over
roundings = {
    "float32": lambda x, axis: x,
    "bfloat16": lambda x, axis: x.bfloat16().float(),
    "float16 as it is": lambda x, axis: x.half().float(),
    "float16, a power for each matrix": lambda x, axis: divided(x, x.abs().max()),
    "float16, a power for each line": lambda x, axis: divided(x, x.abs().amax(1 - axis, keepdim=True)),
}


class Product(torch.autograd.Function):
    @staticmethod
    def forward(context, x, layer):
        context.layer = layer
        context.save_for_backward(x)
        return rounded(x[0], 0) @ rounded(layer.weight, 0).T[None]

    @staticmethod
    def backward(context, dy):
        (x,) = context.saved_tensors
        context.layer.gradient = rounded(dy[0], 1).T @ rounded(x[0], 1)
        return (rounded(dy[0], 0) @ rounded(context.layer.weight, 1))[None], None


linear = [module for layer in model.layers for module in layer.modules() if isinstance(module, torch.nn.Linear)]
for module in linear:
    module.forward = lambda x, module=module: Product.apply(x, module)


exact = None
for name, rounded in roundings.items():
    embedded = model.embed_tokens(ids).requires_grad_(True)
    state = model(inputs_embeds=embedded).last_hidden_state[0, -1]
    (cross_entropy((state @ head)[None], torch.tensor([1])) / functions).backward()
    found = [state.detach(), embedded.grad, [module.gradient for module in linear]]
    if exact is None:
        exact = found
        continue
    errors = sorted(distance(one, other) for one, other in zip(found[2], exact[2]))
    print(f"{name}: last state off by {distance(found[0], exact[0]):.2%}, ", end="")
    print(f"gradient at the embeddings by {distance(found[1], exact[1]):.2%}, ", end="")
    print(f"of weights by {errors[len(errors) // 2]:.2%} (median), {errors[-1]:.2%} (most)")
