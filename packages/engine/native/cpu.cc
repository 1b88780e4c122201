#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

// The build defines WITH_… for each instruction set that it compiles.

namespace vulntune {

#define DECLARE_TABLE(isa)          \
	namespace isa {                 \
	extern const Kernels table;     \
	}
DECLARE_TABLE(avx512bf16)
DECLARE_TABLE(avx512bf16_emulated)
DECLARE_TABLE(avx512)
DECLARE_TABLE(avx2)
DECLARE_TABLE(generic)

namespace avx512vnni {
extern const Int8Kernels int8Table;
}
namespace avxvnni {
extern const Int8Kernels int8Table;
}
namespace dotprod {
extern const Int8Kernels int8Table;
}
namespace amx {
extern const MatrixUnitKernels matrixUnitTable;
}
namespace amx_emulated {
extern const MatrixUnitKernels matrixUnitTable;
}

[[maybe_unused]] static Kernels replaced(Kernels table, const Int8Kernels& others) {
#define KERNEL(result, name, parameters) table.name = others.name;
	VULNTUNE_INT8_KERNELS(KERNEL)
#undef KERNEL
	return table;
}

[[maybe_unused]] static Kernels replaced(Kernels table, const MatrixUnitKernels& others) {
#define KERNEL(result, name, parameters) table.name = others.name;
	VULNTUNE_MATRIX_UNIT_KERNELS(KERNEL)
#undef KERNEL
	return table;
}

#if defined(WITH_avxvnni)

// Asked for here, since older compilers' functions don't know the name.
static bool multipliesBytesInVectors() {
	unsigned a, b, c, d;
	constexpr unsigned avxVnni = 1u << 4;
	return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avxVnni) != 0;
}

#endif

#if defined(WITH_dotprod)

static bool multipliesBytesInVectors() {
#if defined(__linux__)
	constexpr unsigned long dotProduct = 1ul << 20;  // HWCAP_ASIMDDP
	return (getauxval(AT_HWCAP) & dotProduct) != 0;
#elif defined(__APPLE__)
	int has = 0;
	size_t size = sizeof has;
	return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, nullptr, 0) == 0 && has != 0;
#else
	return false;
#endif
}

#endif

#if defined(WITH_amx)

// Whether the processor multiplies tiles of bfloat16 and the system lets this process: Linux saves the tiles of a
// thread only for those who ask.
static bool mayUseMatrixUnit() {
#if defined(__linux__)
	unsigned a, b, c, d;
	constexpr unsigned bf16Tiles = 1u << 22, tiles = 1u << 24;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & bf16Tiles) == 0 || (d & tiles) == 0) return false;
	constexpr long requestPermission = 0x1023, tileData = 18;
	return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
	return false;
#endif
}

#endif

const InstructionSet* instructionSets() {
#if defined(__x86_64__)
	// The compiler's function asks the operating system too whether it saves the wide registers.
	__builtin_cpu_init();
	static const bool hasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		__builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
	static const bool hasAvx512 = hasAvx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
	static const bool hasVnni = hasAvx512 && __builtin_cpu_supports("avx512vnni");
	static const bool hasBf16 = hasVnni && __builtin_cpu_supports("avx512bf16");
#endif
#if defined(WITH_avx512) && defined(WITH_avx512vnni)
	static const Kernels withVnni = replaced(avx512::table, avx512vnni::int8Table);
#endif
#if defined(WITH_avx2) && defined(WITH_avxvnni)
	static const Kernels withBytes = replaced(avx2::table, avxvnni::int8Table);
	static const bool hasAvxVnni = hasAvx2 && multipliesBytesInVectors();
#endif
#if defined(WITH_generic) && defined(WITH_dotprod)
	static const Kernels withDotProduct = replaced(generic::table, dotprod::int8Table);
	static const bool hasDotprod = multipliesBytesInVectors();
#endif
#if defined(WITH_avx512) && defined(WITH_avx512vnni) && defined(WITH_amx)
	static const Kernels withAmx = replaced(withVnni, amx::matrixUnitTable);
	static const bool hasAmx = hasBf16 && mayUseMatrixUnit();
#endif
#if defined(WITH_avx512) && defined(WITH_amx_emulated)
	static const Kernels withEmulatedAmx = replaced(avx512::table, amx_emulated::matrixUnitTable);
#endif
	static const InstructionSet sets[] = {
#if defined(WITH_avx512) && defined(WITH_avx512vnni) && defined(WITH_amx)
		{"amx", &withAmx, hasAmx, true},
#endif
#if defined(WITH_avx512bf16)
		{"avx512bf16", &avx512bf16::table, hasBf16, true},
#endif
#if defined(WITH_avx512) && defined(WITH_avx512vnni)
		{"avx512vnni", &withVnni, hasVnni, true},
#endif
#if defined(WITH_avx512)
		{"avx512", &avx512::table, hasAvx512, true},
#endif
#if defined(WITH_avx2) && defined(WITH_avxvnni)
		{"avxvnni", &withBytes, hasAvxVnni, true},
#endif
#if defined(WITH_avx2)
		{"avx2", &avx2::table, hasAvx2, true},
#endif
#if defined(WITH_generic) && defined(WITH_dotprod)
		{"dotprod", &withDotProduct, hasDotprod, true},
#endif
#if defined(WITH_generic)
		{"generic", &generic::table, true, true},
#endif
#if defined(WITH_avx512bf16_emulated)
		{"avx512bf16-emulated", &avx512bf16_emulated::table, hasAvx512, false},
#endif
#if defined(WITH_avx512) && defined(WITH_amx_emulated)
		{"amx-emulated", &withEmulatedAmx, hasAvx512, false},
#endif
		{nullptr, nullptr, false, false},
	};
	return sets;
}

}  // namespace vulntune
