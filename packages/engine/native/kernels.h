// The table of kernels. Each instruction set is one translation unit (isa/*.cc) that compiles every kernel header
// inside a namespace of its own and exports one table; the addon calls through the table that fits the machine.
//
// A kernel is listed once, here: KERNEL(result, name, (parameters)). The addon makes a JavaScript function of that
// name from it, which takes the engine's handle and then the parameters after the pool as numbers: pointers as
// addresses, counts, factors and flags as themselves. The result is void or double.
#pragma once
#include <stdint.h>

#include "pool.h"

#define VULNTUNE_ELEMENTWISE_KERNELS(KERNEL)                                       \
	KERNEL(void, fill, (Pool & pool, float* target, int64_t length, float value)) \
	KERNEL(void, add, (Pool & pool, float* sum, const float* a, const float* b, int64_t length))

#define VULNTUNE_KERNELS(KERNEL) VULNTUNE_ELEMENTWISE_KERNELS(KERNEL)

namespace vulntune {

struct Kernels {
#define KERNEL(result, name, parameters) result(*name) parameters;
	VULNTUNE_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune
