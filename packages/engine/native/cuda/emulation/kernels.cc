// The table of the kernels, compiled for the host; the build writes their names into kernels.inc, and into variants.inc whether variants are among them.
#include "kernels.h"

#include <cstring>
#include <tuple>

#include "../module.cuh"
#include <variants.inc>

namespace emulation {
namespace {
/** Arguments as the driver lays them out: each aligned to its own size. */
template <class... Argument>
struct Call {
	static constexpr std::size_t bytes() {
		std::size_t offset = 0;
		((offset = (offset + alignof(Argument) - 1) / alignof(Argument) * alignof(Argument) + sizeof(Argument)), ...);
		return offset;
	}
	template <class Value>
	static Value take(const unsigned char* buffer, std::size_t& offset) {
		offset = (offset + alignof(Value) - 1) / alignof(Value) * alignof(Value);
		Value value;
		std::memcpy(&value, buffer + offset, sizeof value);
		offset += sizeof value;
		return value;
	}
	static std::tuple<Argument...> arguments(const unsigned char* buffer) {
		std::size_t offset = 0;
		return std::tuple<Argument...>{take<Argument>(buffer, offset)...};
	}
};

template <auto kernel, class... Argument>
constexpr Kernel entryOf(const char* name, void (*)(Argument...)) {
	return {name, Call<Argument...>::bytes(), [](const unsigned char* buffer) -> std::function<void()> {
				return [values = Call<Argument...>::arguments(buffer)] { std::apply(kernel, values); };
			}};
}

Kernel kernels[] = {
#define ENTRY(name) entryOf<name>(#name, name),
#include <kernels.inc>
#undef ENTRY
};
}  // namespace

Kernel* kernelNamed(const char* name) {
	for (Kernel& kernel : kernels) {
		if (std::strcmp(kernel.name, name) == 0) return &kernel;
	}
	return nullptr;
}
Kernel* kernelOf(void* function) {
	for (Kernel& kernel : kernels) {
		if (&kernel == function) return &kernel;
	}
	return nullptr;
}
}  // namespace emulation
