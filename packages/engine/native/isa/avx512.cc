#define ISA avx512
#define SIMD_AVX512
#include "table.h"
