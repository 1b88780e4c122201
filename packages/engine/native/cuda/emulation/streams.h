// What was enqueued on the card and has not run.
//
// The first stream of a context runs kernels when it is given them; copies from and to locked memory of the host run as late as they
// may, when their stream is waited for or goes on, and what they bring to the host arrives when the host waits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace emulation {
/** From or to this memory of the host. */
struct Copy {
	const void* host;
	std::function<void()> go;
};
struct Stream {
	/** Of copies alone: the stream of the kernels beside them. */
	Stream* kernels = nullptr;
	std::vector<Copy> copies, arrivals;
	/** Copies that have run, and calls that may write the card's memory. */
	std::size_t copied = 0, calls = 0;
	/** Calls of `kernels` that it has waited for. */
	std::size_t seen = 0;
};
struct Event {
	Stream* stream = nullptr;
	std::size_t copies = 0, calls = 0;
};

Stream* makeStream();
/** Says whether there was no stream of copies beside it. */
bool endStream(Stream& stream);
/** nullptr where nothing that was made is meant. */
Stream* streamOf(void* wanted);

/** Runs a stream's copies until so many have run since it was made. */
void run(Stream& stream, std::size_t until);
/** Before a call that runs at once. */
void proceed(Stream& stream);
/** Ends what a stream's copies were waiting for; says whether the host left their sources alone. */
bool settle(Stream& stream);
/** Whether a copy on the stream touches what the kernels before it have made, or are done with. */
bool isOrdered(const Stream& stream);
/** Whether a copy that has not run reads or fills so much of the host's memory. */
bool isAwaited(std::uint64_t host, std::size_t bytes);

/** Copies at once where the host's memory is its own, in the stream's turn where it is locked. */
void copyToCard(Stream& stream, std::uint64_t device, const void* host, std::size_t bytes);
void copyToHost(Stream& stream, void* host, std::uint64_t device, std::size_t bytes);
}  // namespace emulation
