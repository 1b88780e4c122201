// The heap of a WebAssembly memory: blocks side by side from the end of the module's data to the end of the memory,
// whose size is fixed. Only the thread that runs kernels allocates.
#include "../memory.h"

#include "heap.h"
#include "imports.h"

extern "C" char __heap_base;

namespace vulntune {

namespace {

constexpr size_t alignment = 64;
constexpr size_t pageSize = size_t{64} << 10;

enum class Use : uint32_t { free = 0x66726565, live = 0x6c697665 };

// In front of the bytes of every block. Free blocks form a list, and no two of them are neighbours.
struct alignas(alignment) Block {
	Use use;
	size_t bytes;  // with this header
	Block* before;  // the neighbours in memory
	Block* after;
	Block* previousFree;
	Block* nextFree;

	void* data() { return this + 1; }
};

Block* firstFree = nullptr;

size_t roundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

void makeFree(Block* block) {
	block->use = Use::free;
	block->previousFree = nullptr;
	block->nextFree = firstFree;
	if (firstFree != nullptr) firstFree->previousFree = block;
	firstFree = block;
}

void takeFromFree(Block* block) {
	if (block->previousFree != nullptr) block->previousFree->nextFree = block->nextFree;
	else firstFree = block->nextFree;
	if (block->nextFree != nullptr) block->nextFree->previousFree = block->previousFree;
	block->use = Use::live;
}

bool isFree(const Block* block) { return block != nullptr && block->use == Use::free; }

// Adds the right neighbour's memory to a block's.
void absorbAfter(Block* block) {
	Block* gone = block->after;
	block->bytes += gone->bytes;
	block->after = gone->after;
	if (block->after != nullptr) block->after->before = block;
}

// The smallest free block that is large enough: large ones stay whole for large tensors.
Block* findFree(size_t bytes) {
	Block* best = nullptr;
	for (Block* block = firstFree; block != nullptr; block = block->nextFree) {
		if (block->bytes >= bytes && (best == nullptr || block->bytes < best->bytes)) best = block;
	}
	return best;
}

// Leaves what a block has beyond `bytes` as a free block.
void split(Block* block, size_t bytes) {
	if (block->bytes < bytes + 2 * sizeof(Block)) return;
	auto* rest = reinterpret_cast<Block*>(reinterpret_cast<char*>(block) + bytes);
	rest->bytes = block->bytes - bytes;
	rest->before = block;
	rest->after = block->after;
	if (rest->after != nullptr) rest->after->before = rest;
	block->bytes = bytes;
	block->after = rest;
	makeFree(rest);
}

}  // namespace

void resetHeap() {
	const size_t start = roundUp(reinterpret_cast<size_t>(&__heap_base), alignment);
	auto* block = reinterpret_cast<Block*>(start);
	block->bytes = __builtin_wasm_memory_size(0) * pageSize - start;
	block->before = nullptr;
	block->after = nullptr;
	firstFree = nullptr;
	makeFree(block);
}

void* allocatePages(size_t wanted) {
	if (wanted > SIZE_MAX / 8 * 7) outOfMemory();
	const size_t bytes = roundUp(wanted == 0 ? 1 : wanted, alignment) + sizeof(Block);
	Block* block = findFree(bytes);
	if (block == nullptr) outOfMemory();
	takeFromFree(block);
	split(block, bytes);
	return block->data();
}

void freePages(void* data, size_t) {
	if (data == nullptr) return;
	Block* block = static_cast<Block*>(data) - 1;
	if (isFree(block->after)) {
		takeFromFree(block->after);
		absorbAfter(block);
	}
	if (isFree(block->before)) {
		absorbAfter(block->before);
	} else {
		makeFree(block);
	}
}

// Freed blocks are merged and reused above; that a tensor was freed twice shows in its header.
Heap::Heap() : state(nullptr) {}
Heap::~Heap() {}
void* Heap::allocate(size_t bytes) { return allocatePages(bytes); }
bool Heap::release(void* data) {
	Block* block = static_cast<Block*>(data) - 1;
	if (block->use != Use::live) return false;
	freePages(data, 0);
	return true;
}

}  // namespace vulntune

void* operator new(size_t bytes) { return vulntune::allocatePages(bytes); }
void* operator new[](size_t bytes) { return vulntune::allocatePages(bytes); }
void operator delete(void* data) noexcept { vulntune::freePages(data, 0); }
void operator delete[](void* data) noexcept { vulntune::freePages(data, 0); }
void operator delete(void* data, size_t bytes) noexcept { vulntune::freePages(data, bytes); }
void operator delete[](void* data, size_t bytes) noexcept { vulntune::freePages(data, bytes); }
