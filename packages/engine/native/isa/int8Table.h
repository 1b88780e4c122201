// The kernels that instructions for numbers of 8 bits change; the others are those of the instruction set that they come on top of.
#pragma once
#include "../kernels/int8Linear.h"
#include "../kernels/int8Peak.h"

namespace vulntune::ISA {

extern const Int8Kernels int8Table;
const Int8Kernels int8Table = {
#define KERNEL(result, name, parameters) name,
	VULNTUNE_INT8_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune::ISA
