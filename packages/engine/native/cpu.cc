#include "cpu.h"

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

#if defined(WITH_avx512) && defined(WITH_avx512vnni)
namespace avx512vnni {
extern const Int8Kernels int8Table;
}

// The kernels of avx512 but for those in 8 bits.
static Kernels tableWithVnni() {
	Kernels table = avx512::table;
#define KERNEL(result, name, parameters) table.name = avx512vnni::int8Table.name;
	VULNTUNE_INT8_KERNELS(KERNEL)
#undef KERNEL
	return table;
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
	static const Kernels withVnni = tableWithVnni();
#endif
	static const InstructionSet sets[] = {
#if defined(WITH_avx512bf16)
		{"avx512bf16", &avx512bf16::table, hasBf16, true},
#endif
#if defined(WITH_avx512) && defined(WITH_avx512vnni)
		{"avx512vnni", &withVnni, hasVnni, true},
#endif
#if defined(WITH_avx512)
		{"avx512", &avx512::table, hasAvx512, true},
#endif
#if defined(WITH_avx2)
		{"avx2", &avx2::table, hasAvx2, true},
#endif
#if defined(WITH_generic)
		{"generic", &generic::table, true, true},
#endif
#if defined(WITH_avx512bf16_emulated)
		{"avx512bf16-emulated", &avx512bf16_emulated::table, hasAvx512, false},
#endif
		{nullptr, nullptr, false, false},
	};
	return sets;
}

}  // namespace vulntune
