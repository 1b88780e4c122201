// Threads for kernels. This header is free of STL, because translation units compiled for one instruction set
// include it: an inline function of the standard library compiled there could be called on a machine without it.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace vulntune {

using TaskFunction = void (*)(void* context, int64_t task, int thread);

// A fixed number of threads, the caller being thread 0, and scratch memory for the kernel that runs now. Only one
// kernel at a time may use a pool, and tasks don't start runs of their own.
class Pool {
public:
	// Throws std::system_error where the system has no more threads to give.
	explicit Pool(int threads);
	~Pool();
	Pool(const Pool&) = delete;
	Pool& operator=(const Pool&) = delete;

	int threads() const;

	// Calls function(context, task, thread) once for each task in 0 … count - 1, in any order, and returns when all
	// are done. A free thread takes the next task.
	void runTasks(int64_t count, TaskFunction function, void* context);

	// The same for anything callable with (int64_t task, int thread).
	template <typename Function>
	void run(int64_t count, const Function& function) {
		runTasks(
			count,
			[](void* context, int64_t task, int thread) {
				(*static_cast<const Function*>(static_cast<const void*>(context)))(task, thread);
			},
			const_cast<void*>(static_cast<const void*>(&function)));
	}

	// Makes room for `sharedBytes` that all threads see and `threadBytes` for each of them, 64-byte aligned. What an
	// earlier call left there is lost. Throws std::bad_alloc, so it is called before tasks start, never in one.
	void reserve(size_t sharedBytes, size_t threadBytes);
	void* shared() const;
	void* local(int thread) const;

	// Memory, 64-byte aligned, that stays while a kernel made of several products runs them. Throws std::bad_alloc.
	void* workspace(size_t bytes);

	// Where threads are started from outside (WebAssembly): what each of them runs until `stop`, and what is called for
	// one whose task failed for good, so that nobody waits for it.
	void serve(int thread);
	void leave();
	void stop();

private:
	struct State;
	State* state;
};

}  // namespace vulntune
