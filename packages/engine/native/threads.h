// What the pool needs of the machine: atomics that a thread can sleep on, a clock, and threads.
#pragma once

#if defined(__wasm__)
#include "wasm/threads.h"
#else

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace vulntune {

template <typename T>
using Atomic = std::atomic<T>;

// Tells the core that this thread only waits.
inline void relax() {
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	asm volatile("yield");
#endif
}

// Gives the core to another thread.
inline void yieldCore() { std::this_thread::yield(); }

inline double microseconds() {
	return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Threads {
public:
	// Runs body(thread) in threads 1 … count - 1. Throws std::system_error where the system has no more to give; those
	// before it run already.
	template <typename Body>
	void start(int count, const Body& body) {
		for (int thread = 1; thread < count; thread++) threads.emplace_back(body, thread);
	}
	void join() {
		for (auto& thread : threads) thread.join();
	}

private:
	std::vector<std::thread> threads;
};

}  // namespace vulntune

#endif
