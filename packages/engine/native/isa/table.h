// Compiles all kernels for the instruction set that the including file names (ISA: the namespace; SIMD_…: which
// vectors simd.h takes) and exports their table.
#pragma once
#include "../kernels.h"
#include "../kernels/elementwise.h"

namespace vulntune::ISA {

extern const Kernels table;
const Kernels table = {
#define KERNEL(result, name, parameters) name,
	VULNTUNE_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune::ISA
