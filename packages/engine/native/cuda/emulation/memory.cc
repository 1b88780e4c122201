#include "memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "results.h"

namespace emulation {
namespace {
constexpr std::size_t granularity = 4096;
unsigned char* arena = nullptr;
std::size_t arenaBytes = 0;
/** Live allocations by their place in the arena. */
std::map<std::size_t, std::size_t> allocations;
/** Locked memory of the host by its beginning. */
std::map<std::uintptr_t, std::size_t> locked;

std::size_t pages(std::size_t bytes) { return (bytes + granularity - 1) / granularity * granularity; }

/** Whether so many bytes from `at` lie in one block of a table by beginnings. */
template <class Table>
bool isWithin(const Table& blocks, std::size_t at, std::size_t bytes) {
	auto after = blocks.upper_bound(at);
	if (after == blocks.begin()) return false;
	--after;
	return at + bytes <= after->first + after->second;
}
}  // namespace

bool makeArena() {
	if (arena != nullptr) return true;
	arenaBytes = 1UL << 30;
	void* memory = mmap(nullptr, arenaBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) return false;
	arena = static_cast<unsigned char*>(memory);
	return true;
}
void openArena() { mprotect(arena, arenaBytes, PROT_READ | PROT_WRITE); }
void closeArena() { mprotect(arena, arenaBytes, PROT_NONE); }

std::size_t memoryBytes() { return static_cast<std::size_t>(setting("VULNTUNE_STAND_IN_MEMORY", 1L << 30)); }
std::size_t usedBytes() {
	std::size_t used = 0;
	for (const auto& [start, length] : allocations) used += length;
	return used;
}
std::size_t liveAllocations() { return allocations.size(); }

std::uint64_t allocate(std::size_t bytes) {
	// a page between allocations, so that what leaves one doesn't reach the next
	const std::size_t wanted = pages(bytes) + granularity;
	std::size_t at = 0;
	for (const auto& [start, length] : allocations) {
		if (start - at >= wanted) break;
		at = start + pages(length) + granularity;
	}
	if (at + wanted > arenaBytes || usedBytes() + bytes > memoryBytes()) return 0;
	allocations[at] = bytes;
	openArena();
	std::memset(arena + at, 0xff, bytes);
	closeArena();
	return reinterpret_cast<std::uint64_t>(arena + at);
}
bool release(std::uint64_t address) { return allocations.erase(address - reinterpret_cast<std::uint64_t>(arena)) == 1; }
bool isLive(std::uint64_t address, std::size_t bytes) {
	const auto start = reinterpret_cast<std::uint64_t>(arena);
	return address >= start && address < start + arenaBytes && isWithin(allocations, address - start, bytes);
}

void* lockMemory(std::size_t bytes) {
	void* const memory = std::aligned_alloc(granularity, pages(bytes));
	if (memory == nullptr) return nullptr;
	std::memset(memory, 0xff, bytes);
	locked[reinterpret_cast<std::uintptr_t>(memory)] = bytes;
	return memory;
}
bool isLocked(const void* memory, std::size_t bytes) {
	return isWithin(locked, reinterpret_cast<std::uintptr_t>(memory), bytes);
}
std::size_t lockedAt(std::uint64_t address) {
	const auto found = locked.find(address);
	return found == locked.end() ? 0 : found->second;
}
void unlockMemory(std::uint64_t address) {
	locked.erase(address);
	std::free(reinterpret_cast<void*>(address));
}
}  // namespace emulation
