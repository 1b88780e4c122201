#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>

namespace vulntune {

namespace {

constexpr size_t hugePage = size_t{2} << 20;
// Kept beyond the bound, so that small models need not count every byte.
constexpr size_t alwaysKept = size_t{16} << 20;

// Eight classes between one power of two and the next: at most an eighth of a block is unused.
size_t sizeClass(size_t bytes) {
	if (bytes <= 512) return 512;
	const int highest = 63 - __builtin_clzll(bytes - 1);
	const size_t step = size_t{1} << (highest - 3);
	return (bytes + step - 1) & ~(step - 1);
}

// Blocks from here on have pages of their own: what the C library has freed may stay resident between blocks in use.
constexpr size_t mappedFrom = size_t{256} << 10;
const size_t pageSize = sysconf(_SC_PAGESIZE);

size_t roundUp(size_t value, size_t step) { return (value + step - 1) & ~(step - 1); }

// Blocks are cut one after the other from stretches of huge pages, so that small ones lie in such pages too. A stretch's
// memory is the system's until it is touched, and each block's pages go back by themselves.
struct Stretch {
	static constexpr size_t fewestBytes = size_t{64} << 20;

	std::mutex mutex;
	char* next = nullptr;
	char* end = nullptr;

	void* take(size_t bytes) {
		std::lock_guard<std::mutex> lock(mutex);
		if (static_cast<size_t>(end - next) < bytes) renew(roundUp(std::max(bytes, fewestBytes), hugePage));
		void* block = next;
		next += bytes;
		return block;
	}

private:
	void renew(size_t bytes) {
		// Reserved, so that more than the machine has is refused here and not when it is touched.
		void* mapped = mmap(nullptr, bytes + hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mapped == MAP_FAILED) throw std::bad_alloc();
		char* start = static_cast<char*>(mapped);
		char* data = reinterpret_cast<char*>(roundUp(reinterpret_cast<size_t>(start), hugePage));
		if (data > start) munmap(start, data - start);
		if (data < start + hugePage) munmap(data + bytes, start + hugePage - data);
		if (end > next) munmap(next, end - next);
		next = data;
		end = data + bytes;
#if defined(MADV_HUGEPAGE)
		// Only advice: whether the system follows it does not matter.
		madvise(data, bytes, MADV_HUGEPAGE);
#endif
	}
};

Stretch stretch;

}  // namespace

void* allocatePages(size_t bytes) {
	if (bytes == 0) return nullptr;
	if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
	if (bytes < mappedFrom) return ::operator new(roundUp(bytes, 64), std::align_val_t{64});
	return stretch.take(roundUp(bytes, pageSize));
}

void freePages(void* data, size_t bytes) {
	if (data == nullptr) return;
	if (bytes < mappedFrom) ::operator delete(data, std::align_val_t{64});
	else munmap(data, roundUp(bytes, pageSize));
}

struct Heap::State {
	struct Kept {
		void* block;
		// Number of the release.
		uint64_t since;
	};

	std::unordered_map<void*, size_t> live;
	// In each class the block freed last is at the back and taken first.
	std::map<size_t, std::deque<Kept>> kept;
	size_t liveBytes = 0;
	size_t keptBytes = 0;
	size_t peakLiveBytes = 0;
	uint64_t releases = 0;

	// Gives kept blocks back, those that have lain longest first, until no more than `limit` bytes are kept.
	void freeKept(size_t limit) {
		while (keptBytes > limit) {
			auto oldest = kept.end();
			for (auto entry = kept.begin(); entry != kept.end(); ++entry) {
				if (entry->second.empty()) continue;
				if (oldest == kept.end() || entry->second.front().since < oldest->second.front().since) oldest = entry;
			}
			freePages(oldest->second.front().block, oldest->first);
			oldest->second.pop_front();
			keptBytes -= oldest->first;
		}
	}

	// Room for new blocks of other sizes is made of old ones: what is held stays within half as much again as was
	// ever in use at once.
	void makeRoom(size_t bytes) {
		const size_t inUse = liveBytes + bytes;
		const size_t peak = std::max(peakLiveBytes, inUse);
		freeKept(peak + peak / 2 + alwaysKept - inUse);
	}
};

Heap::Heap() : state(new State) {}

Heap::~Heap() {
	state->freeKept(0);
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
		block = found->second.back().block;
		found->second.pop_back();
		state->keptBytes -= bytes;
	} else {
		state->makeRoom(bytes);
		try {
			block = allocatePages(bytes);
		} catch (const std::bad_alloc&) {
			state->freeKept(0);
			block = allocatePages(bytes);
		}
	}
	state->live.emplace(block, bytes);
	state->liveBytes += bytes;
	state->peakLiveBytes = std::max(state->peakLiveBytes, state->liveBytes);
	return block;
}

bool Heap::release(void* data) {
	auto found = state->live.find(data);
	if (found == state->live.end()) return false;
	const size_t bytes = found->second;
	state->kept[bytes].push_back({data, state->releases++});
	state->keptBytes += bytes;
	state->liveBytes -= bytes;
	state->live.erase(found);
	return true;
}

}  // namespace vulntune
