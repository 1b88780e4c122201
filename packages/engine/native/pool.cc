#include "pool.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "memory.h"

namespace vulntune {

namespace {

// Kernels of a training step follow each other within microseconds, so a thread that has run out of work first
// looks for more; after this long it sleeps and costs nothing.
constexpr auto spinTime = std::chrono::microseconds(60);

void relax() {
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	asm volatile("yield");
#endif
}

struct Scratch {
	void* data = nullptr;
	size_t bytes = 0;

	void reserve(size_t wanted) {
		if (wanted <= bytes) return;
		freePages(data, bytes);
		data = nullptr;
		bytes = 0;
		const size_t rounded = (wanted + wanted / 4 + 4095) & ~size_t{4095};
		data = allocatePages(rounded);
		bytes = rounded;
	}
	~Scratch() { freePages(data, bytes); }
};

}  // namespace

struct Pool::State {
	std::vector<std::thread> workers;
	std::atomic<uint32_t> generation{0};
	std::atomic<int> sleeping{0};
	std::atomic<bool> stopping{false};

	// The job. A worker enters by raising `active` and leaves again if the job is not `open`; the caller closes it
	// and waits for `active` to fall to 0. So nobody waits for a worker that wakes up too late to be of use.
	std::atomic<bool> open{false};
	std::atomic<int> active{0};
	std::atomic<int64_t> next{0};
	int64_t count = 0;
	TaskFunction function = nullptr;
	void* context = nullptr;

	Scratch shared;
	Scratch workspace;
	std::vector<Scratch> locals;

	void takeTasks(int thread) {
		for (;;) {
			const int64_t task = next.fetch_add(1, std::memory_order_relaxed);
			if (task >= count) return;
			function(context, task, thread);
		}
	}

	uint32_t waitForNews(uint32_t seen) {
		const auto start = std::chrono::steady_clock::now();
		do {
			for (int i = 0; i < 64; i++) {
				const uint32_t now = generation.load(std::memory_order_acquire);
				if (now != seen) return now;
				relax();
			}
		} while (std::chrono::steady_clock::now() - start < spinTime);
		sleeping.fetch_add(1);
		generation.wait(seen);
		sleeping.fetch_sub(1);
		return generation.load(std::memory_order_acquire);
	}

	void work(int thread) {
		uint32_t seen = 0;
		for (;;) {
			seen = waitForNews(seen);
			if (stopping.load()) return;
			active.fetch_add(1);
			if (open.load()) takeTasks(thread);
			active.fetch_sub(1);
		}
	}

	void announce() {
		generation.fetch_add(1);
		if (sleeping.load() > 0) generation.notify_all();
	}
};

Pool::Pool(int threads) : state(new State) {
	try {
		state->locals.resize(threads);
		for (int thread = 1; thread < threads; thread++) {
			state->workers.emplace_back([state = state, thread] { state->work(thread); });
		}
	} catch (...) {
		// The system may refuse a thread; those before it run already.
		end();
		throw;
	}
}

Pool::~Pool() { end(); }

void Pool::end() {
	state->stopping.store(true);
	state->announce();
	for (auto& worker : state->workers) worker.join();
	delete state;
}

int Pool::threads() const { return static_cast<int>(state->locals.size()); }

void Pool::runTasks(int64_t count, TaskFunction function, void* context) {
	if (count <= 1 || state->workers.empty()) {
		for (int64_t task = 0; task < count; task++) function(context, task, 0);
		return;
	}
	state->count = count;
	state->function = function;
	state->context = context;
	state->next.store(0, std::memory_order_relaxed);
	state->open.store(true);
	state->announce();
	state->takeTasks(0);
	state->open.store(false);
	for (int spins = 0; state->active.load() != 0; spins++) {
		// Where more threads want to run than there are cores, the one waited for may need this one's.
		if (spins < 4096) {
			relax();
		} else {
			std::this_thread::yield();
		}
	}
}

void Pool::reserve(size_t sharedBytes, size_t threadBytes) {
	state->shared.reserve(sharedBytes);
	for (auto& local : state->locals) local.reserve(threadBytes);
}

void* Pool::workspace(size_t bytes) {
	state->workspace.reserve(bytes);
	return state->workspace.data;
}

void* Pool::shared() const { return state->shared.data; }

void* Pool::local(int thread) const { return state->locals[thread].data; }

}  // namespace vulntune
