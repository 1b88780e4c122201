// AVX-512 on a processor that multiplies numbers of 8 bits but has no bfloat16: only the kernels that this changes. The
// others are avx512's.
#define ISA avx512vnni
#define SIMD_AVX512
#define SIMD_VNNI
#include "../kernels/int8Linear.h"
#include "../kernels/int8Peak.h"

namespace vulntune::ISA {

extern const Int8Kernels int8Table;
const Int8Kernels int8Table = {
#define KERNEL(result, name, parameters) name,
	VULNTUNE_INT8_KERNELS(KERNEL)
#undef KERNEL
};

}  // namespace vulntune::ISA
