// A block's threads as fibers on one thread of the host.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

namespace emulation {
struct Launch {
	unsigned grid[3];
	unsigned block[3];
	std::size_t sharedBytes;
};
/** Runs a kernel for every thread of the launch; gives what went wrong, empty if nothing did. */
std::string run(const Launch& launch, const std::function<void()>& kernel);
}  // namespace emulation
