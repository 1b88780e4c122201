#define ISA avx512bf16
#define SIMD_AVX512
#define SIMD_BF16
#define SIMD_VNNI
#include "table.h"
