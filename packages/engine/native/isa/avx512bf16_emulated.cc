// The kernels of avx512bf16 with its instructions made of others, so that any machine with AVX-512 can test them.
#define ISA avx512bf16_emulated
#define SIMD_AVX512
#define SIMD_BF16
#define SIMD_BF16_EMULATED
#include "table.h"
