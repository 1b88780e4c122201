#include "fibers.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "device.h"

Position threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
unsigned char* dynamicShared = nullptr;

namespace {
constexpr std::size_t stackBytes = 64 * 1024;
constexpr unsigned laneCount = 32;

struct Copy {
	void* target;
	const void* source;
	unsigned bytes;
};

struct Warp {
	unsigned arrived = 0;
	unsigned generation = 0;
	/** Values of this generation and the one before, which slower threads may still read. */
	Exchange values[2][laneCount];
};

struct Fiber {
	void* stackPointer = nullptr;
	unsigned char* stack = nullptr;
	unsigned thread = 0;
	bool finished = false;
	const unsigned* waitsFor = nullptr;
	unsigned waitsWhile = 0;
	std::vector<Copy> open;
	std::deque<std::vector<Copy>> committed;
};

std::vector<Fiber> fibers;
std::vector<Warp> warps;
Fiber* current = nullptr;
void* schedulerStack = nullptr;
const std::function<void()>* body = nullptr;
unsigned arrivedAtBlock, blockGeneration, finishedCount;
std::string failure;

#if defined(__x86_64__)
extern "C" void vulntuneSwitchStack(void** save, void* next);
asm(R"(
.text
.globl vulntuneSwitchStack
.hidden vulntuneSwitchStack
.type vulntuneSwitchStack,@function
vulntuneSwitchStack:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
)");
#else
#error "the emulation of CUDA kernels needs an x86-64 processor"
#endif

[[noreturn]] void endOfFiber() {
	current->finished = true;
	vulntuneSwitchStack(&current->stackPointer, schedulerStack);
	__builtin_unreachable();
}

void entry() {
	(*body)();
	waitForCopies(0);
	if (!current->open.empty()) fail("a kernel ended with copies that were never committed");
	endOfFiber();
}

void yield() { vulntuneSwitchStack(&current->stackPointer, schedulerStack); }

void prepare(Fiber& fiber, unsigned thread) {
	fiber.thread = thread;
	fiber.finished = false;
	fiber.waitsFor = nullptr;
	auto** top = reinterpret_cast<void**>(fiber.stack + stackBytes);
	*--top = nullptr;  // keeps the stack aligned as after a call
	*--top = reinterpret_cast<void*>(&entry);
	for (int i = 0; i < 6; i++) *--top = nullptr;
	fiber.stackPointer = top;
}

bool runnable(const Fiber& fiber) {
	return !fiber.finished && (fiber.waitsFor == nullptr || *fiber.waitsFor != fiber.waitsWhile);
}

void resume(Fiber& fiber) {
	current = &fiber;
	threadIdx = {fiber.thread % blockDim.x, fiber.thread / blockDim.x, 0};
	vulntuneSwitchStack(&schedulerStack, fiber.stackPointer);
	if (fiber.finished) finishedCount++;
}

void runBlock(unsigned threads, bool backwards) {
	arrivedAtBlock = finishedCount = 0;
	for (Warp& warp : warps) warp.arrived = 0;
	for (unsigned t = 0; t < threads; t++) prepare(fibers[t], t);
	while (finishedCount < threads && failure.empty()) {
		bool progress = false;
		for (unsigned i = 0; i < threads && failure.empty(); i++) {
			Fiber& fiber = fibers[backwards ? threads - 1 - i : i];
			if (!runnable(fiber)) continue;
			resume(fiber);
			progress = true;
		}
		if (!progress) failure = "threads wait for others that never come (a barrier in a branch?)";
	}
}

/** Threads that have ended count as arrived at a block's barrier, as they do on a card. */
bool blockComplete() { return arrivedAtBlock + finishedCount == fibers.size(); }

void reserve(unsigned threads) {
	while (fibers.size() < threads) {
		Fiber fiber;
		fiber.stack = static_cast<unsigned char*>(mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE,
													   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		fibers.push_back(std::move(fiber));
	}
	while (fibers.size() > threads) {
		munmap(fibers.back().stack, stackBytes);
		fibers.pop_back();
	}
	warps.resize((threads + laneCount - 1) / laneCount);
}
}  // namespace

void fail(const char* what) {
	failure = what;
	endOfFiber();
}

void blockBarrier() {
	current->waitsFor = &blockGeneration;
	current->waitsWhile = blockGeneration;
	arrivedAtBlock++;
	if (blockComplete()) {
		arrivedAtBlock = 0;
		blockGeneration++;
		return;
	}
	yield();
}

const Exchange* exchange(const Exchange& own) {
	Warp& warp = warps[current->thread / laneCount];
	const unsigned generation = warp.generation;
	Exchange* values = warp.values[generation % 2];
	values[current->thread % laneCount] = own;
	current->waitsFor = &warp.generation;
	current->waitsWhile = generation;
	if (++warp.arrived == laneCount) {
		warp.arrived = 0;
		warp.generation++;
		return values;
	}
	yield();
	return values;
}

void copyLater(void* target, const void* source, unsigned bytes) {
	const auto misaligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 != 0; };
	if (misaligned(target) || (bytes > 0 && misaligned(source))) fail("cp.async: an address is not aligned to 16 bytes");
	current->open.push_back({target, source, bytes});
}

void commitCopies() {
	current->committed.push_back(std::move(current->open));
	current->open.clear();
}

void waitForCopies(int groupsLeft) {
	auto& groups = current->committed;
	while (static_cast<int>(groups.size()) > groupsLeft) {
		for (const Copy& copy : groups.front()) {
			std::memset(copy.target, 0, 16);
			std::memcpy(copy.target, copy.source, copy.bytes);
		}
		groups.pop_front();
	}
}

std::string run(const Launch& launch, const std::function<void()>& kernel) {
	const unsigned threads = launch.block[0] * launch.block[1] * launch.block[2];
	failure.clear();
	reserve(threads);
	body = &kernel;
	const std::unique_ptr<unsigned char[], void (*)(unsigned char*)> shared(
		static_cast<unsigned char*>(std::aligned_alloc(128, (launch.sharedBytes / 128 + 1) * 128)),
		[](unsigned char* memory) { std::free(memory); });
	dynamicShared = shared.get();
	blockDim = {launch.block[0], launch.block[1], launch.block[2]};
	gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
	unsigned count = 0;
	for (unsigned z = 0; z < launch.grid[2]; z++) {
		for (unsigned y = 0; y < launch.grid[1]; y++) {
			for (unsigned x = 0; x < launch.grid[0] && failure.empty(); x++) {
				blockIdx = {x, y, z};
				std::memset(dynamicShared, 0xff, launch.sharedBytes);
				runBlock(threads, count++ % 2 == 1);
			}
		}
	}
	for (Fiber& fiber : fibers) {
		fiber.open.clear();
		fiber.committed.clear();
	}
	return failure;
}
}  // namespace emulation
