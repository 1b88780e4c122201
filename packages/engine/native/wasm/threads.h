// The same names in WebAssembly, where threads are workers that JavaScript starts.
#pragma once
#include <stdint.h>

#include "imports.h"

namespace vulntune {

template <typename T>
class Atomic {
public:
	constexpr Atomic(T initial) : value(initial) {}
	T load() const { return __atomic_load_n(&value, __ATOMIC_SEQ_CST); }
	void store(T wanted) { __atomic_store_n(&value, wanted, __ATOMIC_SEQ_CST); }
	T fetch_add(T summand) { return __atomic_fetch_add(&value, summand, __ATOMIC_SEQ_CST); }
	T fetch_sub(T summand) { return __atomic_fetch_sub(&value, summand, __ATOMIC_SEQ_CST); }

	// Sleeps until notify_all, unless the value is another than `seen` already.
	void wait(T seen) {
		static_assert(sizeof(T) == sizeof(int));
		__builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&value), static_cast<int>(seen), -1);
	}
	void notify_all() { __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&value), UINT32_MAX); }

private:
	T value;
};

// WebAssembly has no instruction for it.
inline void relax() {}

// Sleeps for a moment, since there is nothing that only gives the core away.
inline void yieldCore() {
	constexpr int64_t nanoseconds = 20'000;
	int nobodyNotifies = 0;
	__builtin_wasm_memory_atomic_wait32(&nobodyNotifies, 0, nanoseconds);
}

inline double microseconds() { return milliseconds() * 1000; }

class Threads {
public:
	// Workers call Pool::serve by themselves.
	template <typename Body>
	void start(int, const Body&) {}
	void join() {}
};

}  // namespace vulntune
