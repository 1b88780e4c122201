// The memory of a card that isn't there, and what of the host's memory it reaches by itself.
#pragma once
#include <cstddef>
#include <cstdint>

namespace emulation {
/** Reserves the addresses of the card's memory; says whether there are as many. */
bool makeArena();
/** Lets the host read and write the card's memory, while a kernel or a copy runs. */
void openArena();
void closeArena();

/** What the card has now; the arena stays as large as it was made. */
std::size_t memoryBytes();
std::size_t usedBytes();
/** Allocations that nobody freed. */
std::size_t liveAllocations();

/** The address of so many bytes of anything but zeros; 0 where there is no room for them. */
std::uint64_t allocate(std::size_t bytes);
/** Says whether the address was one that was allocated. */
bool release(std::uint64_t address);
/** Whether so many bytes from there lie in one allocation. */
bool isLive(std::uint64_t address, std::size_t bytes);

/** Memory of the host that the card reaches by itself; nullptr where there is none. */
void* lockMemory(std::size_t bytes);
bool isLocked(const void* memory, std::size_t bytes);
/** Bytes that begin there; 0 where none do. */
std::size_t lockedAt(std::uint64_t address);
void unlockMemory(std::uint64_t address);
}  // namespace emulation
