// AVX-512 on a processor that multiplies numbers of 8 bits but has no bfloat16.
#define ISA avx512vnni
#define SIMD_AVX512
#define SIMD_VNNI
#include "int8Table.h"
