// A processor with a matrix unit (AMX) on top of avx512vnni.
#define ISA amx
#define SIMD_AVX512
#define SIMD_BF16
#define SIMD_VNNI
#define SIMD_AMX
#include "matrixUnitTable.h"
