// AVX2 on a processor that multiplies numbers of 8 bits in its vectors (AVX-VNNI): laptops and desktops of Intel since 2021.
#define ISA avxvnni
#define SIMD_AVX2
#define SIMD_VNNI
#include "int8Table.h"
