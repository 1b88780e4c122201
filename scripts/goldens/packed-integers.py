"""Matrices of random words in the layouts of GPTQ and AWQ, with the values that AutoGPTQ and AutoAWQ read from them.

    "$VULNTUNE_PYTHON" scripts/goldens/packed-integers.py AUTO_GPTQ AUTO_AWQ tests/golden/packed-integers.safetensors

Needs torch, numpy and transformers, and the sources of auto-gptq 0.7.1 and autoawq 0.2.9 (their wheel or archive, unpacked: folders
that hold `auto_gptq` and `awq`); of each one file is loaded, so that nothing has to be installed or built.
"""

import importlib.util
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

auto_gptq, auto_awq, output = map(Path, sys.argv[1:])
inputs, outputs, group = 64, 32, 32


def load(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(generator, *shape):
    return torch.randint(-(2**31), 2**31, shape, generator=generator, dtype=torch.int64).to(torch.int32)


def zeros(generator, groups, bits):
    """Codes below the largest, which the libraries take for different zeros."""
    codes = torch.randint(0, 2**bits - 1, (groups, outputs * bits // 32, 32 // bits), generator=generator, dtype=torch.int64)
    packed = (codes << torch.arange(0, 32, bits)).sum(-1)
    return torch.where(packed >= 2**31, packed - 2**32, packed).to(torch.int32)


def scales(generator, groups):
    return (torch.rand(groups, outputs, generator=generator) * 0.1 + 0.01).to(torch.float16)


def gptq_case(layer, generator, bits, group_size, permuted=False):
    groups = inputs // group_size
    parts = {
        "qweight": words(generator, inputs * bits // 32, outputs),
        "qzeros": zeros(generator, groups, bits),
        "scales": scales(generator, groups),
        "g_idx": torch.arange(inputs, dtype=torch.int32) // group_size,
    }
    if permuted:
        parts["g_idx"] = parts["g_idx"][torch.randperm(inputs, generator=generator)].contiguous()
    quant = layer(bits, group_size, inputs, outputs, bias=False, kernel_switch_threshold=False, weight_dtype=torch.float32)
    quant.qweight, quant.qzeros, quant.g_idx = parts["qweight"], parts["qzeros"], parts["g_idx"]
    quant.scales = parts["scales"].float()
    # the identity's image is the matrix
    return parts, quant(torch.eye(inputs)).t().contiguous()


def awq_case(packing, generator):
    parts = {
        "qweight": words(generator, inputs, outputs // 8),
        "qzeros": words(generator, inputs // group, outputs // 8),
        "scales": scales(generator, inputs // group),
    }
    values = packing.dequantize_gemm(parts["qweight"], parts["qzeros"], parts["scales"].float(), 4, group)
    return parts, values.t().contiguous()


layer = load(auto_gptq / "auto_gptq/nn_modules/qlinear/qlinear_cuda.py").QuantLinear
packing = load(auto_awq / "awq/utils/packing_utils.py")
generator = torch.Generator().manual_seed(11)
cases = {
    "gptq4": gptq_case(layer, generator, 4, group),
    "gptq4-permuted": gptq_case(layer, generator, 4, group, permuted=True),
    "gptq4-whole": gptq_case(layer, generator, 4, inputs),
    "gptq8": gptq_case(layer, generator, 8, group),
    "gptq2": gptq_case(layer, generator, 2, group),
    "awq4": awq_case(packing, generator),
}
tensors = {}
for name, (parts, expected) in cases.items():
    tensors |= {f"{name}.{part}": tensor.contiguous() for part, tensor in parts.items()}
    tensors[f"{name}.expected"] = expected.float()
save_file(tensors, output)
print({name: tuple(expected.shape) for name, (_, expected) in cases.items()})
