// The door between JavaScript and the kernels in WebAssembly, as addon.cc is for the native ones. Numbers travel as
// doubles where C++ takes 64-bit integers, so that JavaScript needs no BigInt; addresses are 32-bit.
#include "../kernels.h"
#include "../memory.h"
#include "../pool.h"
#include "heap.h"
#include "imports.h"

#define VULNTUNE_EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace vulntune {

namespace wasm {
extern const Kernels table;
}

namespace {

// What one backend holds; it has the memory for itself.
struct Engine {
	Pool pool;
	Heap heap;
	explicit Engine(int threads) : pool(threads) {}
};

template <typename T>
struct Passed {
	using Type = T;
};
template <>
struct Passed<int64_t> {
	using Type = double;
};

template <auto kernel>
struct KernelBinding;

template <typename Result, typename... Arguments, Result (*Kernels::*kernel)(Pool&, Arguments...)>
struct KernelBinding<kernel> {
	static Result call(Engine* engine, typename Passed<Arguments>::Type... arguments) {
		return (wasm::table.*kernel)(engine->pool, static_cast<Arguments>(arguments)...);
	}
};

// A kernel's name and its place in the table of functions, which the module exports.
struct NamedKernel {
	const char* name;
	void (*function)();
};

const NamedKernel namedKernels[] = {
#define KERNEL(result, name, parameters) {#name, reinterpret_cast<void (*)()>(KernelBinding<&Kernels::name>::call)},
	VULNTUNE_KERNELS(KERNEL)
#undef KERNEL
	{nullptr, nullptr},
};

constexpr double addressableBytes = 4294967296.0;

}  // namespace

// Ends with a null name.
VULNTUNE_EXPORT(listKernels) const NamedKernel* listKernels() { return namedKernels; }

// The one engine of a memory; one that was there before is gone.
VULNTUNE_EXPORT(createEngine) Engine* createEngine(int threads) {
	resetHeap();
	return new Engine(threads);
}

// What a worker runs until `stop`.
VULNTUNE_EXPORT(serve) void serve(Engine* engine, int thread) { engine->pool.serve(thread); }

// Called for a worker whose task failed, so that nobody waits for it.
VULNTUNE_EXPORT(leave) void leave(Engine* engine) { engine->pool.leave(); }

VULNTUNE_EXPORT(stop) void stop(Engine* engine) { engine->pool.stop(); }

VULNTUNE_EXPORT(allocate) void* allocate(Engine* engine, double bytes) {
	if (bytes >= addressableBytes) outOfMemory();
	return engine->heap.allocate(static_cast<size_t>(bytes));
}

// False if the memory was freed before.
VULNTUNE_EXPORT(release) bool release(Engine* engine, void* data) { return engine->heap.release(data); }

}  // namespace vulntune
