// ARM on a processor that multiplies numbers of 8 bits in its vectors (Armv8.2's dot product): Apple's since the M1, most servers.
#define ISA dotprod
#define SIMD_GENERIC
#define SIMD_DOTPROD
#include "int8Table.h"
