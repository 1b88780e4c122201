// A stand-in for libcuda on machines without a card: the part of the driver API that the backend uses, over the emulated kernels. It
// is stricter than a driver: it checks handles, the size of what a launch is given, the bounds and the life of every copy, and
// no host code can read device memory, which is only mapped while a kernel or a copy runs. It counts how often the host waits.
//
// The environment sets what it pretends to be: VULNTUNE_STAND_IN_DEVICES, _DRIVER (12000 = CUDA 12.0), _CAPABILITY (80 = 8.0),
// _MULTIPROCESSORS, _MEMORY (bytes, of which a GiB can be had), _CUBINS (0 refuses machine code) and _DAMAGED (refuses every module). Without a kernel of the name that is asked for it answers as a driver does.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "fibers.h"
#include "kernels.h"
#include "memory.h"
#include "results.h"
#include "streams.h"

namespace {
using namespace emulation;

struct Object {
	const char* what;
};
Object context{"context"}, module{"module"};
bool initialized = false, contextCurrent = false, moduleLoaded = false;
/** Modules of PTX that were loaded. */
int compilations = 0;

/** Bytes that a block may ask for, less than a multiprocessor has on some cards. */
int mostShared() {
	switch (setting("VULNTUNE_STAND_IN_CAPABILITY", 80)) {
		case 70: return 96 * 1024;
		case 75: return 64 * 1024;
		case 86: case 89: return 99 * 1024;
		case 90: return 227 * 1024;
		default: return 163 * 1024;
	}
}

Result ready() {
	if (!initialized) return refuse(notInitialized, "cuInit was not called");
	if (!contextCurrent) return refuse(invalidContext, "no context is current");
	return success;
}

/** A copy lies within an allocation of the card, and touches what the kernels before it have made, or are done with. */
Result copyCheck(const Stream& stream, std::uint64_t device, const void* host, std::size_t bytes) {
	if (const Result result = ready(); result != success) return result;
	if (!isLive(device, bytes)) return refuse(invalidValue, "a copy leaves the allocation that it begins in");
	if (host == nullptr && bytes > 0) return refuse(invalidValue, "a copy from or to nowhere");
	if (!isOrdered(stream)) return refuse(invalidValue, "a copy that does not wait for the kernels before it");
	return success;
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
int standInAllocations() { return static_cast<int>(liveAllocations()); }

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
Result cuCtxGetCurrent(void** current) {
	*current = contextCurrent ? &context : nullptr;
	return success;
}
Result cuStreamCreate(void** made, unsigned flags) {
	if (const Result result = ready(); result != success) return result;
	if (flags > 1) return refuse(invalidValue, "unknown flags of a stream");
	*made = makeStream();
	return success;
}
Result cuStreamDestroy_v2(void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	return endStream(*stream) ? success : refuse(invalidHandle, "a stream with one of copies beside it");
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
	Kernel* const kernel = kernelNamed(name);
	if (kernel == nullptr) return refuse(notFound, std::string("no kernel ") + name);
	*function = kernel;
	return success;
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
	const std::uint64_t allocated = allocate(bytes);
	if (allocated == 0) return refuse(outOfMemory, "the arena is full");
	waits++;
	*address = allocated;
	return success;
}
Result cuMemFree_v2(std::uint64_t address) {
	if (const Result result = ready(); result != success) return result;
	if (!release(address)) return refuse(invalidValue, "freed twice, or never allocated");
	waits++;
	return success;
}
Result cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
	*total = memoryBytes();
	*free = *total - usedBytes();
	return ready();
}
Result cuMemAllocHost_v2(std::uint64_t* address, std::size_t bytes) {
	if (const Result result = ready(); result != success) return result;
	void* const memory = bytes == 0 ? nullptr : lockMemory(bytes);
	if (memory == nullptr) return refuse(outOfMemory, "no memory to lock");
	waits++;
	*address = reinterpret_cast<std::uintptr_t>(memory);
	return success;
}
Result cuMemFreeHost(std::uint64_t address) {
	const std::size_t bytes = lockedAt(address);
	if (bytes == 0) return refuse(invalidValue, "host memory that was not allocated here");
	if (isAwaited(address, bytes)) return refuse(invalidValue, "host memory that a copy may still read or fill");
	unlockMemory(address);
	waits++;
	return success;
}
Result cuMemcpyHtoDAsync_v2(std::uint64_t device, const void* host, std::size_t bytes, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	if (const Result result = copyCheck(*stream, device, host, bytes); result != success) return result;
	copyToCard(*stream, device, host, bytes);
	return success;
}
Result cuMemcpyDtoHAsync_v2(void* host, std::uint64_t device, std::size_t bytes, void* wanted) {
	Stream* const stream = streamOf(wanted);
	if (stream == nullptr) return refuse(invalidHandle, "no such stream");
	if (const Result result = copyCheck(*stream, device, host, bytes); result != success) return result;
	copyToHost(*stream, host, device, bytes);
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
