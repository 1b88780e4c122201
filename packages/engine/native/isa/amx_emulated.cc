// The kernels of amx with its instructions made of others, so that any machine with AVX-512 can test them.
#define ISA amx_emulated
#define SIMD_AVX512
#define SIMD_BF16
#define SIMD_BF16_EMULATED
#define SIMD_AMX
#define SIMD_AMX_EMULATED
#include "matrixUnitTable.h"
