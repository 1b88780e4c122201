#include "pool.h"

#include "memory.h"
#include "threads.h"

namespace vulntune {

namespace {

// Kernels of a training step follow each other within microseconds, so a thread that has run out of work first
// looks for more; after this long it sleeps and costs nothing.
constexpr double spinMicroseconds = 60;

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
	const int threads;
	Atomic<uint32_t> generation{0};
	Atomic<int> sleeping{0};
	Atomic<bool> stopping{false};

	// The job. A worker enters by raising `active` and leaves again if the job is not `open`; the caller closes it
	// and waits for `active` to fall to 0. So nobody waits for a worker that wakes up too late to be of use.
	Atomic<bool> open{false};
	Atomic<int> active{0};
	Atomic<int64_t> next{0};
	int64_t count = 0;
	TaskFunction function = nullptr;
	void* context = nullptr;

	Scratch shared;
	Scratch workspace;
	Scratch* const locals;

	Threads workers;

	explicit State(int threads, Scratch* locals) : threads(threads), locals(locals) {}

	// Where the system refuses a thread, those before it run already: the destructor then ends them, because the
	// constructor above has done its part.
	explicit State(int threads) : State(threads, new Scratch[threads]) {
		workers.start(threads, [this](int thread) { serve(thread); });
	}

	~State() {
		stop();
		workers.join();
		delete[] locals;
	}

	void stop() {
		stopping.store(true);
		announce();
	}

	void takeTasks(int thread) {
		for (;;) {
			const int64_t task = next.fetch_add(1);
			if (task >= count) return;
			function(context, task, thread);
		}
	}

	uint32_t waitForNews(uint32_t seen) {
		const double start = microseconds();
		do {
			for (int i = 0; i < 64; i++) {
				const uint32_t now = generation.load();
				if (now != seen) return now;
				relax();
			}
		} while (microseconds() - start < spinMicroseconds);
		sleeping.fetch_add(1);
		generation.wait(seen);
		sleeping.fetch_sub(1);
		return generation.load();
	}

	void serve(int thread) {
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

Pool::Pool(int threads) : state(new State(threads)) {}

Pool::~Pool() { delete state; }

void Pool::serve(int thread) { state->serve(thread); }

void Pool::leave() { state->active.fetch_sub(1); }

void Pool::stop() { state->stop(); }

int Pool::threads() const { return state->threads; }

void Pool::runTasks(int64_t count, TaskFunction function, void* context) {
	if (count <= 1 || state->threads == 1) {
		for (int64_t task = 0; task < count; task++) function(context, task, 0);
		return;
	}
	state->count = count;
	state->function = function;
	state->context = context;
	state->next.store(0);
	state->open.store(true);
	state->announce();
	state->takeTasks(0);
	state->open.store(false);
	for (int spins = 0; state->active.load() != 0; spins++) {
		// Where more threads want to run than there are cores, the one waited for may need this one's.
		if (spins < 4096) {
			relax();
		} else {
			yieldCore();
		}
	}
}

void Pool::reserve(size_t sharedBytes, size_t threadBytes) {
	state->shared.reserve(sharedBytes);
	for (int thread = 0; thread < state->threads; thread++) state->locals[thread].reserve(threadBytes);
}

void* Pool::workspace(size_t bytes) {
	state->workspace.reserve(bytes);
	return state->workspace.data;
}

void* Pool::shared() const { return state->shared.data; }

void* Pool::local(int thread) const { return state->locals[thread].data; }

}  // namespace vulntune
