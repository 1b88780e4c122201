#include "cpu.h"

namespace vulntune {

#define DECLARE_TABLE(isa)           \
	namespace isa {                  \
	extern const Kernels table;      \
	}
DECLARE_TABLE(generic)
#if defined(__x86_64__)
DECLARE_TABLE(avx512bf16)
DECLARE_TABLE(avx512)
DECLARE_TABLE(avx2)
DECLARE_TABLE(avx512bf16_emulated)
#endif

const InstructionSet* instructionSets() {
#if defined(__x86_64__)
	// The compiler's function asks the operating system too whether it saves the wide registers.
	__builtin_cpu_init();
	static const bool hasAvx2 =
		__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
	static const bool hasAvx512 = hasAvx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
	static const bool hasBf16 = hasAvx512 && __builtin_cpu_supports("avx512bf16");
	static const InstructionSet sets[] = {
		{"avx512bf16", &avx512bf16::table, hasBf16, true},
		{"avx512", &avx512::table, hasAvx512, true},
		{"avx2", &avx2::table, hasAvx2, true},
		{"generic", &generic::table, true, true},
		{"avx512bf16-emulated", &avx512bf16_emulated::table, hasAvx512, false},
		{nullptr, nullptr, false, false},
	};
#else
	static const InstructionSet sets[] = {
		{"generic", &generic::table, true, true},
		{nullptr, nullptr, false, false},
	};
#endif
	return sets;
}

}  // namespace vulntune
