// The kernels by their names, as the functions of a module.
#pragma once
#include <cstddef>
#include <functional>

namespace emulation {
struct Kernel {
	const char* name;
	std::size_t argumentBytes;
	std::function<void()> (*bind)(const unsigned char* arguments);
	/** Without a KiB for the kernel's own variables, whose size the emulation doesn't know. */
	std::size_t sharedLimit = 47 * 1024;
};

/** nullptr where there is none. */
Kernel* kernelNamed(const char* name);
/** The kernel that a handle stands for; nullptr where it stands for none. */
Kernel* kernelOf(void* function);
}  // namespace emulation
