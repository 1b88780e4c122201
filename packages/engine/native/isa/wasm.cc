// WebAssembly: vectors of four floats with fused products (relaxed SIMD).
#define ISA wasm
#define SIMD_WASM
#include "table.h"
