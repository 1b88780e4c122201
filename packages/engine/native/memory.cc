#include "memory.h"

#include <sys/mman.h>

#include <map>
#include <new>
#include <unordered_map>
#include <vector>

namespace vulntune {

namespace {

constexpr size_t hugePage = size_t{2} << 20;

// Eight classes between one power of two and the next: at most an eighth of a block is unused.
size_t sizeClass(size_t bytes) {
	if (bytes <= 512) return 512;
	const int highest = 63 - __builtin_clzll(bytes - 1);
	const size_t step = size_t{1} << (highest - 3);
	return (bytes + step - 1) & ~(step - 1);
}

}  // namespace

void* allocatePages(size_t bytes) {
	if (bytes == 0) return nullptr;
	const bool huge = bytes >= 2 * hugePage;
	const size_t alignment = huge ? hugePage : 64;
	if (bytes > SIZE_MAX - alignment) throw std::bad_alloc();
	void* data = ::operator new((bytes + 63) & ~size_t{63}, std::align_val_t{alignment});
#if defined(MADV_HUGEPAGE)
	// Only advice: whether the system follows it does not matter.
	if (huge) madvise(data, bytes & ~(hugePage - 1), MADV_HUGEPAGE);
#endif
	return data;
}

void freePages(void* data, size_t bytes) {
	if (data == nullptr) return;
	::operator delete(data, std::align_val_t{bytes >= 2 * hugePage ? hugePage : 64});
}

struct Heap::State {
	std::unordered_map<void*, size_t> live;
	std::map<size_t, std::vector<void*>> kept;

	void freeKept() {
		for (auto& [bytes, blocks] : kept) {
			for (void* block : blocks) freePages(block, bytes);
		}
		kept.clear();
	}
};

Heap::Heap() : state(new State) {}

Heap::~Heap() {
	state->freeKept();
	for (auto& [block, bytes] : state->live) freePages(block, bytes);
	delete state;
}

void* Heap::allocate(size_t wanted) {
	if (wanted > SIZE_MAX / 2) throw std::bad_alloc();
	size_t bytes = sizeClass(wanted);
	void* block = nullptr;
	// A block up to half as large again will do: packs differ by a few tokens, and their tensors would otherwise
	// fill one set of classes after the other.
	auto found = state->kept.lower_bound(bytes);
	while (found != state->kept.end() && found->second.empty()) ++found;
	if (found != state->kept.end() && found->first <= bytes + bytes / 2) {
		bytes = found->first;
		block = found->second.back();
		found->second.pop_back();
	} else {
		try {
			block = allocatePages(bytes);
		} catch (const std::bad_alloc&) {
			state->freeKept();
			block = allocatePages(bytes);
		}
	}
	state->live.emplace(block, bytes);
	return block;
}

bool Heap::release(void* data) {
	auto found = state->live.find(data);
	if (found == state->live.end()) return false;
	state->kept[found->second].push_back(data);
	state->live.erase(found);
	return true;
}

}  // namespace vulntune
