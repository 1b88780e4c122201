// A stand-in for libnccl on machines without cards: the part of it that runs of several processes use, over the stand-in for libcuda.
// Messages are files of a folder that the unique id names. It is stricter than NCCL: it checks handles, types, peers, the sizes that
// both ends give and, by libcuda, streams and memory; what is enqueued outside its order never comes.
#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {
namespace fs = std::filesystem;
using Result = int;
constexpr Result success = 0, cudaError = 1, systemError = 2, invalidArgument = 4, invalidUsage = 5;
constexpr int uint8 = 1, float32 = 7;
constexpr auto patience = std::chrono::seconds(60);

struct UniqueId {
	char internal[128];
};

struct Communicator {
	int rank, size;
	fs::path folder;
	/** Messages so far, by the process at the other end. */
	std::map<int, long> sent, received;
};

struct Operation {
	bool sends;
	std::uint64_t address;
	std::size_t bytes;
	int peer;
	Communicator* communicator;
	void* stream;
};

int depth = 0;
std::vector<Operation> waiting;

template <class Function>
Function driver(const char* name) {
	static void* library = dlopen(std::getenv("VULNTUNE_LIBCUDA"), RTLD_NOW);
	return reinterpret_cast<Function>(dlsym(library, name));
}

bool wait(const fs::path& file) {
	const auto end = std::chrono::steady_clock::now() + patience;
	while (!fs::exists(file)) {
		if (std::chrono::steady_clock::now() > end) return false;
		std::this_thread::sleep_for(std::chrono::milliseconds(1));
	}
	return true;
}

void write(const fs::path& file, const std::vector<char>& bytes) {
	const fs::path partial = file.string() + ".partial";
	std::ofstream(partial, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
	fs::rename(partial, file);
}

fs::path message(const Communicator& c, int from, int to, long number) {
	return c.folder / (std::to_string(from) + "-" + std::to_string(to) + "-" + std::to_string(number));
}

Result send(const Operation& operation) {
	auto copy = driver<int (*)(void*, std::uint64_t, std::size_t, void*)>("cuMemcpyDtoHAsync_v2");
	auto synchronize = driver<int (*)(void*)>("cuStreamSynchronize");
	std::vector<char> bytes(operation.bytes);
	if (copy(bytes.data(), operation.address, bytes.size(), operation.stream) != 0) return cudaError;
	if (synchronize(operation.stream) != 0) return cudaError;
	Communicator& c = *operation.communicator;
	write(message(c, c.rank, operation.peer, c.sent[operation.peer]++), bytes);
	return success;
}

Result receive(const Operation& operation) {
	Communicator& c = *operation.communicator;
	const fs::path file = message(c, operation.peer, c.rank, c.received[operation.peer]++);
	if (!wait(file)) return systemError;
	if (fs::file_size(file) != operation.bytes) return invalidUsage;
	std::vector<char> bytes(operation.bytes);
	std::ifstream(file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
	fs::remove(file);
	auto copy = driver<int (*)(std::uint64_t, const void*, std::size_t, void*)>("cuMemcpyHtoDAsync_v2");
	auto synchronize = driver<int (*)(void*)>("cuStreamSynchronize");
	if (copy(operation.address, bytes.data(), bytes.size(), operation.stream) != 0) return cudaError;
	return synchronize(operation.stream) == 0 ? success : cudaError;
}

/** All that is sent first: a process may send to itself. */
Result runWaiting() {
	std::vector<Operation> operations;
	operations.swap(waiting);
	for (const bool sends : {true, false}) {
		for (const Operation& operation : operations) {
			if (operation.sends != sends) continue;
			if (const Result failed = sends ? send(operation) : receive(operation)) return failed;
		}
	}
	return success;
}

/** An operation of so many numbers. */
Result enqueue(Operation operation, int type) {
	Communicator* c = operation.communicator;
	if (c == nullptr || (type != float32 && type != uint8) || operation.bytes == 0) return invalidArgument;
	if (type == float32) operation.bytes *= 4;
	if (operation.peer < 0 || operation.peer >= c->size) return invalidArgument;
	waiting.push_back(operation);
	return success;
}
} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT const char* ncclGetErrorString(Result result) {
	switch (result) {
		case success: return "no error";
		case cudaError: return "unhandled cuda error";
		case systemError: return "unhandled system error";
		case invalidArgument: return "invalid argument";
		case invalidUsage: return "invalid usage";
		default: return "unknown result code";
	}
}

EXPORT Result ncclGetVersion(int* version) {
	*version = 22105;
	return success;
}

EXPORT Result ncclGetUniqueId(UniqueId* id) {
	std::string folder = (fs::temp_directory_path() / "vulntune-nccl-XXXXXX").string();
	if (mkdtemp(folder.data()) == nullptr || folder.size() >= sizeof id->internal) return systemError;
	std::memset(id->internal, 0, sizeof id->internal);
	std::memcpy(id->internal, folder.data(), folder.size());
	return success;
}

EXPORT Result ncclCommInitRank(Communicator** made, int size, UniqueId id, int rank) {
	if (rank < 0 || rank >= size || !fs::is_directory(id.internal)) return invalidArgument;
	auto* c = new Communicator{rank, size, id.internal, {}, {}};
	write(c->folder / ("joined-" + std::to_string(rank)), {});
	for (int peer = 0; peer < size; peer++) {
		if (!wait(c->folder / ("joined-" + std::to_string(peer)))) return systemError;
	}
	*made = c;
	return success;
}

EXPORT Result ncclCommDestroy(Communicator* c) {
	// the last one removes the folder
	write(c->folder / ("left-" + std::to_string(c->rank)), {});
	bool isLast = true;
	for (int peer = 0; peer < c->size; peer++) isLast &= fs::exists(c->folder / ("left-" + std::to_string(peer)));
	std::error_code ignored;
	if (isLast) fs::remove_all(c->folder, ignored);
	delete c;
	return success;
}

EXPORT Result ncclGroupStart() {
	depth++;
	return success;
}

EXPORT Result ncclGroupEnd() {
	if (depth == 0) return invalidUsage;
	return --depth > 0 ? success : runWaiting();
}

EXPORT Result ncclSend(std::uint64_t from, std::size_t count, int type, int peer, Communicator* c, void* stream) {
	if (depth == 0) return invalidUsage; // it would wait for a process that waits for this one
	return enqueue({true, from, count, peer, c, stream}, type);
}

EXPORT Result ncclRecv(std::uint64_t to, std::size_t count, int type, int peer, Communicator* c, void* stream) {
	if (depth == 0) return invalidUsage;
	return enqueue({false, to, count, peer, c, stream}, type);
}

EXPORT Result ncclBroadcast(
	std::uint64_t from, std::uint64_t to, std::size_t count, int type, int root, Communicator* c, void* stream) {
	if (from != to) return invalidArgument; // in place is all that is used
	if (c != nullptr && root != c->rank) {
		if (const Result failed = enqueue({false, to, count, root, c, stream}, type)) return failed;
	} else {
		for (int peer = 0; c != nullptr && peer < c->size; peer++) {
			if (peer == root) continue;
			if (const Result failed = enqueue({true, from, count, peer, c, stream}, type)) return failed;
		}
	}
	return depth > 0 ? success : runWaiting();
}
