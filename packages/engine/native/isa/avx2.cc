#define ISA avx2
#define SIMD_AVX2
#include "table.h"
