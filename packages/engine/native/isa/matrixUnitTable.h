// The kernels that a matrix unit changes; the others are those of the instruction set that it comes on top of.
#pragma once
#include "../kernels/attentionKernels.h"
#include "../kernels/linear.h"
#include "../kernels/peak.h"

namespace vulntune::ISA {

extern const MatrixUnitKernels matrixUnitTable;
const MatrixUnitKernels matrixUnitTable = {
#define KERNEL(result, name, parameters) name,
	VULNTUNE_MATRIX_UNIT_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune::ISA
