// A stand-in for libcuda on machines without a card: the part of the driver API that the backend uses, over the emulated kernels. It
// is stricter than a driver: it checks handles, the size of what a launch is given, the bounds and the life of every copy, and
// no host code can read device memory, which is only mapped while a kernel or a copy runs. It counts how often the host waits.
//
// The environment sets what it pretends to be: VULNTUNE_STAND_IN_DEVICES, _DRIVER (12000 = CUDA 12.0), _CAPABILITY (80 = 8.0),
// _MULTIPROCESSORS, _MEMORY (bytes, of which a GiB can be had), _CUBINS (0 refuses machine code) and _DAMAGED (refuses every module). Without a kernel of the name that is asked for it answers as a driver does.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "../module.cuh"
#include "fibers.h"

namespace {
using Result = int;
constexpr Result success = 0, invalidValue = 1, outOfMemory = 2, notInitialized = 3, noDevice = 100, invalidDevice = 101,
				 invalidImage = 200, noBinary = 209, invalidPtx = 218, invalidContext = 201, invalidHandle = 400, notFound = 500, illegalAddress = 700,
				 launchFailed = 719, notSupported = 801;

long setting(const char* name, long otherwise) {
	const char* text = std::getenv(name);
	return text == nullptr ? otherwise : std::atol(text);
}

/** Bytes that a block may ask for, less than a multiprocessor has on some cards. */
int mostShared() {
	switch (setting("VULNTUNE_STAND_IN_CAPABILITY", 80)) {
		case 70: return 96 * 1024;
		case 75: return 64 * 1024;
		case 86: case 89: return 99 * 1024;
		default: return 163 * 1024;
	}
}

std::string fault;
Result refuse(Result result, std::string why) {
	fault = std::move(why);
	return result;
}

/** Arguments as the driver lays them out: each aligned to its own size. */
template <class... Argument>
struct Call {
	static constexpr std::size_t bytes() {
		std::size_t offset = 0;
		((offset = (offset + alignof(Argument) - 1) / alignof(Argument) * alignof(Argument) + sizeof(Argument)), ...);
		return offset;
	}
	template <class Value>
	static Value take(const unsigned char* buffer, std::size_t& offset) {
		offset = (offset + alignof(Value) - 1) / alignof(Value) * alignof(Value);
		Value value;
		std::memcpy(&value, buffer + offset, sizeof value);
		offset += sizeof value;
		return value;
	}
	static std::tuple<Argument...> arguments(const unsigned char* buffer) {
		std::size_t offset = 0;
		return std::tuple<Argument...>{take<Argument>(buffer, offset)...};
	}
};

struct Kernel {
	const char* name;
	std::size_t argumentBytes;
	std::function<void()> (*bind)(const unsigned char* arguments);
	/** Without a KiB for the kernel's own variables, whose size the emulation doesn't know. */
	std::size_t sharedLimit = 47 * 1024;
};

template <auto kernel, class... Argument>
constexpr Kernel entryOf(const char* name, void (*)(Argument...)) {
	return {name, Call<Argument...>::bytes(), [](const unsigned char* buffer) -> std::function<void()> {
				return [values = Call<Argument...>::arguments(buffer)] { std::apply(kernel, values); };
			}};
}

Kernel kernels[] = {
#define ENTRY(name) entryOf<name>(#name, name),
#include <kernels.inc>
#undef ENTRY
};

struct Object {
	const char* what;
};
Object context{"context"}, module{"module"};
bool initialized = false, contextCurrent = false, moduleLoaded = false;

/**
 * The first stream of a context runs kernels when it is given them; copies from and to locked memory of the host run as late as they
 * may, when their stream is waited for or goes on, and what they bring to the host arrives when the host waits.
 */
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
std::vector<std::unique_ptr<Stream>> streams;
/** The first of a context's two streams, until the second is made. */
Stream* kernelStream = nullptr;

Stream* streamOf(void* wanted) {
	for (const auto& stream : streams) {
		if (stream.get() == wanted) return stream.get();
	}
	return nullptr;
}

/** Runs a stream's copies until so many have run since it was made. */
void run(Stream& stream, std::size_t until) {
	std::size_t count = 0;
	for (; stream.copied < until && count < stream.copies.size(); stream.copied++) stream.copies[count++].go();
	stream.copies.erase(stream.copies.begin(), stream.copies.begin() + static_cast<std::ptrdiff_t>(count));
}
void runAll(Stream& stream) { run(stream, stream.copied + stream.copies.size()); }
/** Before a call that runs at once. */
void proceed(Stream& stream) {
	runAll(stream);
	stream.calls++;
}

/** Modules of PTX that were loaded. */
int compilations = 0;
/** How often the host waited for the card, or asked for what may make it wait. */
int waits = 0;

/** Memory of the host that the card reaches by itself, by its beginning. */
std::map<std::uintptr_t, std::size_t> locked;
bool isLocked(const void* memory, std::size_t bytes) {
	const auto at = reinterpret_cast<std::uintptr_t>(memory);
	auto after = locked.upper_bound(at);
	if (after == locked.begin()) return false;
	--after;
	return at + bytes <= after->first + after->second;
}

/** What is still to be copied to the card: the host may not change it. */
struct Upload {
	const void* from;
	std::vector<unsigned char> bytes;
	Stream* stream;
};
std::vector<Upload> uploads;

/** Ends what a stream's copies were waiting for; says whether the host left their sources alone. */
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

constexpr std::size_t granularity = 4096;
unsigned char* arena = nullptr;
std::size_t arenaBytes = 0;
/** Live allocations by their place in the arena. */
std::map<std::size_t, std::size_t> allocations;

void openArena() { mprotect(arena, arenaBytes, PROT_READ | PROT_WRITE); }
void closeArena() { mprotect(arena, arenaBytes, PROT_NONE); }

/** What the card has now; the arena stays as large as it was made. */
std::size_t memoryBytes() { return static_cast<std::size_t>(setting("VULNTUNE_STAND_IN_MEMORY", 1L << 30)); }

bool makeArena() {
	if (arena != nullptr) return true;
	arenaBytes = 1UL << 30;
	void* memory = mmap(nullptr, arenaBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) return false;
	arena = static_cast<unsigned char*>(memory);
	return true;
}

std::size_t usedBytes() {
	std::size_t used = 0;
	for (const auto& [start, length] : allocations) used += length;
	return used;
}

bool isLive(std::uint64_t address, std::size_t bytes) {
	const auto start = reinterpret_cast<std::uint64_t>(arena);
	if (address < start || address >= start + arenaBytes) return false;
	const std::size_t at = address - start;
	auto after = allocations.upper_bound(at);
	if (after == allocations.begin()) return false;
	--after;
	return at + bytes <= after->first + after->second;
}

Kernel* kernelOf(void* function) {
	for (Kernel& kernel : kernels) {
		if (&kernel == function) return &kernel;
	}
	return nullptr;
}

Result ready() {
	if (!initialized) return refuse(notInitialized, "cuInit was not called");
	if (!contextCurrent) return refuse(invalidContext, "no context is current");
	return success;
}

Result copyCheck(std::uint64_t device, const void* host, std::size_t bytes) {
	if (const Result result = ready(); result != success) return result;
	if (!isLive(device, bytes)) return refuse(invalidValue, "a copy leaves the allocation that it begins in");
	if (host == nullptr && bytes > 0) return refuse(invalidValue, "a copy from or to nowhere");
	return success;
}
/** A copy beside the kernels touches what those before it have made, or are done with. */
Result orderCheck(const Stream& stream) {
	if (stream.kernels == nullptr || stream.seen == stream.kernels->calls) return success;
	return refuse(invalidValue, "a copy that does not wait for the kernels before it");
}
}  // namespace

#pragma GCC visibility push(default)
extern "C" {
const char* standInFault() { return fault.c_str(); }
/** Modules that a driver would have had to compile. */
int standInCompilations() { return compilations; }
/** How often the host waited for the card so far, or asked for what may make it wait: an allocation, a copy from or to memory of its own. */
int standInWaits() { return waits; }
/** Allocations that nobody freed. */
int standInAllocations() { return static_cast<int>(allocations.size()); }

Result cuInit(unsigned flags) {
	if (flags != 0) return refuse(invalidValue, "cuInit takes 0");
	if (setting("VULNTUNE_STAND_IN_DEVICES", 1) < 1) return refuse(noDevice, "no device");
	initialized = true;
	return success;
}
Result cuDriverGetVersion(int* version) {
	*version = static_cast<int>(setting("VULNTUNE_STAND_IN_DRIVER", 12000));
	return success;
}
Result cuDeviceGetCount(int* count) {
	*count = static_cast<int>(setting("VULNTUNE_STAND_IN_DEVICES", 1));
	return initialized ? success : notInitialized;
}
Result cuDeviceGet(int* device, int ordinal) {
	if (ordinal < 0 || ordinal >= setting("VULNTUNE_STAND_IN_DEVICES", 1)) return refuse(invalidDevice, "no such device");
	*device = ordinal;
	return success;
}
Result cuDeviceGetName(char* name, int bytes, int) {
	std::snprintf(name, static_cast<std::size_t>(bytes), "stand-in");
	return success;
}
Result cuDeviceTotalMem_v2(std::size_t* bytes, int) {
	*bytes = memoryBytes();
	return success;
}
Result cuDeviceGetAttribute(int* value, int attribute, int) {
	const int capability = static_cast<int>(setting("VULNTUNE_STAND_IN_CAPABILITY", 80));
	switch (attribute) {
		case 16: *value = static_cast<int>(setting("VULNTUNE_STAND_IN_MULTIPROCESSORS", 1)); return success;
		case 75: *value = capability / 10; return success;
		case 76: *value = capability % 10; return success;
		default: return refuse(invalidValue, "an attribute that the stand-in doesn't know");
	}
}
Result cuDevicePrimaryCtxRetain(void** made, int) {
	if (!initialized) return refuse(notInitialized, "cuInit was not called");
	if (!makeArena()) return refuse(outOfMemory, "no address space");
	*made = &context;
	return success;
}
Result cuDevicePrimaryCtxRelease_v2(int) { return success; }
Result cuCtxSetCurrent(void* wanted) {
	if (wanted != nullptr && wanted != &context) return refuse(invalidContext, "a context that was not made");
	contextCurrent = wanted != nullptr;
	return success;
}
Result cuStreamCreate(void** made, unsigned flags) {
	if (const Result result = ready(); result != success) return result;
	if (flags > 1) return refuse(invalidValue, "unknown flags of a stream");
	auto stream = std::make_unique<Stream>();
	stream->kernels = std::exchange(kernelStream, kernelStream == nullptr ? stream.get() : nullptr);
	*made = stream.get();
	streams.push_back(std::move(stream));
	return success;
}
Result cuStreamDestroy_v2(void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	settle(*stream);
	for (const auto& one : streams) {
		if (one->kernels == stream) return refuse(invalidHandle, "a stream with one of copies beside it");
	}
	std::erase_if(streams, [stream](const auto& one) { return one.get() == stream; });
	return success;
}
Result cuStreamSynchronize(void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "a stream that was not made");
	waits++;
	if (!settle(*stream)) return refuse(illegalAddress, "the host changed what was still to be copied to the card");
	return ready();
}
Result cuModuleLoadData(void** made, const void* image) {
	if (const Result result = ready(); result != success) return result;
	const auto* const bytes = static_cast<const unsigned char*>(image);
	const bool isCubin = std::memcmp(bytes, "\x7f" "ELF", 4) == 0;
	if (!isCubin && std::strstr(static_cast<const char*>(image), ".version") == nullptr) return refuse(invalidImage, "no PTX");
	if (setting("VULNTUNE_STAND_IN_DAMAGED", 0) != 0) return refuse(invalidPtx, "a PTX JIT compilation failed");
	// the lowest byte of an ELF file's flags is the capability that NVIDIA's assembler made it for
	if (isCubin && (setting("VULNTUNE_STAND_IN_CUBINS", 1) == 0 || bytes[48] != setting("VULNTUNE_STAND_IN_CAPABILITY", 80))) {
		return refuse(noBinary, "no machine code for this card");
	}
	if (!isCubin) compilations++;
	moduleLoaded = true;
	*made = &module;
	return success;
}
Result cuModuleUnload(void* wanted) { return wanted == &module ? success : refuse(invalidHandle, "no module"); }
Result cuModuleGetFunction(void** function, void* wanted, const char* name) {
	if (wanted != &module || !moduleLoaded) return refuse(invalidHandle, "a module that was not loaded");
	for (Kernel& kernel : kernels) {
		if (std::strcmp(kernel.name, name) != 0) continue;
		*function = &kernel;
		return success;
	}
	return refuse(notFound, std::string("no kernel ") + name);
}
Result cuFuncSetAttribute(void* function, int attribute, int value) {
	Kernel* kernel = kernelOf(function);
	if (kernel == nullptr) return refuse(invalidHandle, "no such function");
	if (attribute != 8 || value < 0 || value > mostShared()) return refuse(invalidValue, "shared memory beyond the card's");
	kernel->sharedLimit = static_cast<std::size_t>(value);
	return success;
}
Result cuMemAlloc_v2(std::uint64_t* address, std::size_t bytes) {
	if (const Result result = ready(); result != success) return result;
	if (bytes == 0) return refuse(invalidValue, "an allocation of 0 bytes");
	// a page between allocations, so that what leaves one doesn't reach the next
	const std::size_t wanted = (bytes + granularity - 1) / granularity * granularity + granularity;
	std::size_t at = 0;
	for (const auto& [start, length] : allocations) {
		if (start - at >= wanted) break;
		at = start + (length + granularity - 1) / granularity * granularity + granularity;
	}
	if (at + wanted > arenaBytes || usedBytes() + bytes > memoryBytes()) return refuse(outOfMemory, "the arena is full");
	waits++;
	allocations[at] = bytes;
	openArena();
	std::memset(arena + at, 0xff, bytes);
	closeArena();
	*address = reinterpret_cast<std::uint64_t>(arena + at);
	return success;
}
Result cuMemFree_v2(std::uint64_t address) {
	if (const Result result = ready(); result != success) return result;
	const auto found = allocations.find(address - reinterpret_cast<std::uint64_t>(arena));
	if (found == allocations.end()) return refuse(invalidValue, "freed twice, or never allocated");
	waits++;
	allocations.erase(found);
	return success;
}
Result cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
	*total = memoryBytes();
	*free = *total - usedBytes();
	return ready();
}
Result cuMemAllocHost_v2(std::uint64_t* address, std::size_t bytes) {
	if (const Result result = ready(); result != success) return result;
	void* const memory = std::aligned_alloc(granularity, (bytes + granularity - 1) / granularity * granularity);
	if (memory == nullptr || bytes == 0) return refuse(outOfMemory, "no memory to lock");
	waits++;
	std::memset(memory, 0xff, bytes);
	*address = reinterpret_cast<std::uintptr_t>(memory);
	locked[*address] = bytes;
	return success;
}
Result cuMemFreeHost(std::uint64_t address) {
	const auto found = locked.find(address);
	if (found == locked.end()) return refuse(invalidValue, "host memory that was not allocated here");
	for (const auto& stream : streams) {
		for (const auto* const waiting : {&stream->copies, &stream->arrivals}) {
			for (const Copy& copy : *waiting) {
				if (reinterpret_cast<std::uintptr_t>(copy.host) - address < found->second) {
					return refuse(invalidValue, "host memory that a copy may still read or fill");
				}
			}
		}
	}
	locked.erase(found);
	waits++;
	std::free(reinterpret_cast<void*>(address));
	return success;
}
Result cuMemcpyHtoDAsync_v2(std::uint64_t device, const void* host, std::size_t bytes, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	if (const Result result = copyCheck(device, host, bytes); result != success) return result;
	if (const Result result = orderCheck(*stream); result != success) return result;
	const auto copy = [device, host, bytes] {
		openArena();
		std::memcpy(reinterpret_cast<void*>(device), host, bytes);
		closeArena();
	};
	if (!isLocked(host, bytes)) {
		waits++;
		proceed(*stream);
		copy();
		return success;
	}
	stream->calls++;
	stream->copies.push_back({host, copy});
	const auto* const start = static_cast<const unsigned char*>(host);
	// the source of a copy between streams is one that the host never looks at
	if (stream->kernels == nullptr) uploads.push_back({host, {start, start + bytes}, stream});
	return success;
}
Result cuMemcpyDtoHAsync_v2(void* host, std::uint64_t device, std::size_t bytes, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	if (const Result result = copyCheck(device, host, bytes); result != success) return result;
	if (const Result result = orderCheck(*stream); result != success) return result;
	const auto read = [device, bytes] {
		openArena();
		const auto* const start = reinterpret_cast<const unsigned char*>(device);
		std::vector<unsigned char> values(start, start + bytes);
		closeArena();
		return values;
	};
	if (!isLocked(host, bytes)) {
		waits++;
		proceed(*stream);
		std::memcpy(host, read().data(), bytes);
	} else if (stream->kernels != nullptr) {
		stream->copies.push_back({host, [host, read, bytes] { std::memcpy(host, read().data(), bytes); }});
	} else {
		stream->copies.push_back({host, [host, read, bytes, stream] {
			stream->arrivals.push_back({host, [host, values = read(), bytes] { std::memcpy(host, values.data(), bytes); }});
		}});
	}
	return success;
}
Result cuMemcpyDtoDAsync_v2(std::uint64_t to, std::uint64_t from, std::size_t bytes, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	if (const Result result = ready(); result != success) return result;
	if (!isLive(to, bytes) || !isLive(from, bytes)) return refuse(invalidValue, "a copy leaves its allocation");
	proceed(*stream);
	openArena();
	std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
	closeArena();
	return success;
}
Result cuMemsetD32Async(std::uint64_t to, unsigned value, std::size_t count, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	if (const Result result = ready(); result != success) return result;
	if (!isLive(to, 4 * count)) return refuse(invalidValue, "a fill leaves its allocation");
	proceed(*stream);
	openArena();
	for (std::size_t i = 0; i < count; i++) reinterpret_cast<unsigned*>(to)[i] = value;
	closeArena();
	return success;
}
Result cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
					  unsigned blockZ, unsigned sharedBytes, void* wanted, void** parameters, void** extra) {
	if (const Result result = ready(); result != success) return result;
	Kernel* kernel = kernelOf(function);
	if (kernel == nullptr) return refuse(invalidHandle, "a function that was not found in a module");
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr || stream->kernels != nullptr) return refuse(invalidHandle, "no such stream, or one of copies alone");
	if (gridX < 1 || gridY < 1 || gridZ < 1 || gridY > 65535 || gridZ > 65535 || blockX * blockY * blockZ < 1 ||
		blockX * blockY * blockZ > 1024 || blockX * blockY * blockZ % 32 != 0 || blockZ != 1)
		return refuse(invalidValue, std::string(kernel->name) + ": a grid or block that can't be");
	if (sharedBytes > kernel->sharedLimit) return refuse(invalidValue, std::string(kernel->name) + ": too much shared memory");
	if (parameters != nullptr || extra == nullptr || extra[0] != reinterpret_cast<void*>(1) ||
		extra[2] != reinterpret_cast<void*>(2) || extra[4] != nullptr)
		return refuse(invalidValue, "arguments should come in one buffer");
	if (*static_cast<std::size_t*>(extra[3]) != kernel->argumentBytes) {
		return refuse(invalidValue, std::string(kernel->name) + " takes " + std::to_string(kernel->argumentBytes) +
										" bytes of arguments, got " + std::to_string(*static_cast<std::size_t*>(extra[3])));
	}
	proceed(*stream);
	const auto bound = kernel->bind(static_cast<const unsigned char*>(extra[1]));
	openArena();
	const std::string failed = emulation::run({{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes}, bound);
	closeArena();
	return failed.empty() ? success : refuse(launchFailed, std::string(kernel->name) + ": " + failed);
}
Result cuGetErrorString(int result, const char** text) {
	static std::string words;
	words = fault.empty() ? "error " + std::to_string(result) : fault;
	*text = words.c_str();
	return success;
}
/** Without a copy engine there is nothing to describe. */
Result cuTensorMapEncodeTiled(void*, int, unsigned, void*, const void*, const void*, const void*, const void*, int, int, int, int) {
	return refuse(notSupported, "the stand-in has no copy engine");
}
Result cuEventCreate(void** made, unsigned) {
	*made = new Event();
	return ready();
}
Result cuEventDestroy_v2(void* event) {
	delete static_cast<Event*>(event);
	return success;
}
Result cuEventRecord(void* event, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	*static_cast<Event*>(event) = {stream, stream->copied + stream->copies.size(), stream->calls};
	return ready();
}
Result cuStreamWaitEvent(void* wanted, void* awaited, unsigned) {
	Stream* const stream = streamOf(wanted);
	const Event& event = *static_cast<Event*>(awaited);
	if (stream == nullptr || streamOf(event.stream) == nullptr) return refuse(invalidHandle, "no such stream, or an event of none");
	run(*event.stream, event.copies);
	if (stream->kernels == event.stream) stream->seen = event.calls;
	return ready();
}
Result cuEventSynchronize(void*) {
	waits++;
	return ready();
}
Result cuEventElapsedTime(float* milliseconds, void*, void*) {
	*milliseconds = 1.0f;
	return success;
}
}
#pragma GCC visibility pop
