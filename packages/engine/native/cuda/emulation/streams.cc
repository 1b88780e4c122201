#include "streams.h"

#include <cstring>
#include <memory>
#include <utility>

#include "memory.h"
#include "results.h"

namespace emulation {
namespace {
std::vector<std::unique_ptr<Stream>> streams;
/** The first of a context's two streams, until the second is made. */
Stream* kernelStream = nullptr;

/** What is still to be copied to the card: the host may not change it. */
struct Upload {
	const void* from;
	std::vector<unsigned char> bytes;
	Stream* stream;
};
std::vector<Upload> uploads;

void runAll(Stream& stream) { run(stream, stream.copied + stream.copies.size()); }
}  // namespace

Stream* makeStream() {
	auto stream = std::make_unique<Stream>();
	stream->kernels = std::exchange(kernelStream, kernelStream == nullptr ? stream.get() : nullptr);
	streams.push_back(std::move(stream));
	return streams.back().get();
}
bool endStream(Stream& stream) {
	settle(stream);
	for (const auto& one : streams) {
		if (one->kernels == &stream) return false;
	}
	std::erase_if(streams, [&stream](const auto& one) { return one.get() == &stream; });
	return true;
}
Stream* streamOf(void* wanted) {
	for (const auto& stream : streams) {
		if (stream.get() == wanted) return stream.get();
	}
	return nullptr;
}

void run(Stream& stream, std::size_t until) {
	std::size_t count = 0;
	for (; stream.copied < until && count < stream.copies.size(); stream.copied++) stream.copies[count++].go();
	stream.copies.erase(stream.copies.begin(), stream.copies.begin() + static_cast<std::ptrdiff_t>(count));
}
void proceed(Stream& stream) {
	runAll(stream);
	stream.calls++;
}
bool settle(Stream& stream) {
	runAll(stream);
	for (const auto& arrival : stream.arrivals) arrival.go();
	stream.arrivals.clear();
	bool intact = true;
	std::erase_if(uploads, [&](const Upload& upload) {
		if (upload.stream != &stream) return false;
		intact = intact && std::memcmp(upload.from, upload.bytes.data(), upload.bytes.size()) == 0;
		return true;
	});
	return intact;
}
bool isOrdered(const Stream& stream) { return stream.kernels == nullptr || stream.seen == stream.kernels->calls; }
bool isAwaited(std::uint64_t host, std::size_t bytes) {
	for (const auto& stream : streams) {
		for (const auto* const waiting : {&stream->copies, &stream->arrivals}) {
			for (const Copy& copy : *waiting) {
				if (reinterpret_cast<std::uintptr_t>(copy.host) - host < bytes) return true;
			}
		}
	}
	return false;
}

void copyToCard(Stream& stream, std::uint64_t device, const void* host, std::size_t bytes) {
	const auto copy = [device, host, bytes] {
		openArena();
		std::memcpy(reinterpret_cast<void*>(device), host, bytes);
		closeArena();
	};
	if (!isLocked(host, bytes)) {
		waits++;
		proceed(stream);
		copy();
		return;
	}
	stream.calls++;
	stream.copies.push_back({host, copy});
	const auto* const start = static_cast<const unsigned char*>(host);
	// the source of a copy between streams is one that the host never looks at
	if (stream.kernels == nullptr) uploads.push_back({host, {start, start + bytes}, &stream});
}
void copyToHost(Stream& stream, void* host, std::uint64_t device, std::size_t bytes) {
	const auto read = [device, bytes] {
		openArena();
		const auto* const start = reinterpret_cast<const unsigned char*>(device);
		std::vector<unsigned char> values(start, start + bytes);
		closeArena();
		return values;
	};
	const auto copy = [host, read, bytes] { std::memcpy(host, read().data(), bytes); };
	if (!isLocked(host, bytes)) {
		waits++;
		proceed(stream);
		copy();
	} else if (stream.kernels != nullptr) {
		stream.copies.push_back({host, copy});
	} else {
		stream.copies.push_back({host, [host, read, bytes, &stream] {
			stream.arrivals.push_back({host, [host, values = read(), bytes] { std::memcpy(host, values.data(), bytes); }});
		}});
	}
}
}  // namespace emulation
