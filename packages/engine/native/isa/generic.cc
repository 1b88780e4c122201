// For every other machine: vectors of four floats, which are NEON's on aarch64 and SSE2's on x86-64.
#define ISA generic
#define SIMD_GENERIC
#include "table.h"
