// Compiles all kernels for the instruction set that the including file names (ISA: the namespace; SIMD_…: which
// vectors simd.h takes) and exports their table.
#pragma once
#include "../kernels.h"
#include "../kernels/activation.h"
#include "../kernels/adamW.h"
#include "../kernels/attentionKernels.h"
#include "../kernels/copy.h"
#include "../kernels/crossEntropy.h"
#include "../kernels/dropout.h"
#include "../kernels/elementwise.h"
#include "../kernels/focalLoss.h"
#include "../kernels/int8Linear.h"
#include "../kernels/int8Peak.h"
#include "../kernels/layerNorm.h"
#include "../kernels/linear.h"
#include "../kernels/lora.h"
#include "../kernels/matmul.h"
#include "../kernels/peak.h"
#include "../kernels/poolRows.h"
#include "../kernels/quantize.h"
#include "../kernels/rmsNorm.h"
#include "../kernels/rope.h"
#include "../kernels/rows.h"
#include "../kernels/swiglu.h"

namespace vulntune::ISA {

extern const Kernels table;
const Kernels table = {
#define KERNEL(result, name, parameters) name,
	VULNTUNE_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune::ISA
