// Memory for tensors: reused, in huge pages where it is large.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace vulntune {

// Uninitialised memory, 64-byte aligned at least; asks for huge pages from 256 KiB on. Throws std::bad_alloc.
void* allocatePages(size_t bytes);
void freePages(void* data, size_t bytes);

// Blocks in size classes. A freed block is kept for the next allocation of its class, because touching fresh
// pages costs more than many kernels; what is held in all stays within half as much again as was ever in use at once,
// and 16 MiB.
class Heap {
public:
	Heap();
	~Heap();
	Heap(const Heap&) = delete;
	Heap& operator=(const Heap&) = delete;

	// Throws std::bad_alloc when even giving back all kept blocks does not help.
	void* allocate(size_t bytes);
	// False if `data` is no live block of this heap.
	bool release(void* data);

private:
	struct State;
	State* state;
};

}  // namespace vulntune
