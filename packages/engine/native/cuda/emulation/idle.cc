// A libcuda that does nothing: what a step takes through it, the host alone takes. It hands out addresses that nobody reads, and
// whatever comes back from the card is -1 as a whole number: what quantising answers where every number was finite.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
/** Of a Hopper, whose products take more of the host than those of others. */
constexpr int multiprocessors = 132, capability = 90;
constexpr std::size_t memoryBytes = std::size_t{1} << 38;
/** Where the first allocation lies: 0 stands for nothing. */
std::uint64_t next = std::uint64_t{1} << 32;
int object;
}  // namespace

using Handle = void*;
#define DRIVER extern "C" __attribute__((visibility("default"))) int

DRIVER cuInit(unsigned) { return 0; }
DRIVER cuDriverGetVersion(int* version) { return *version = 12000, 0; }
DRIVER cuDeviceGetCount(int* count) { return *count = 1, 0; }
DRIVER cuDeviceGet(int* device, int ordinal) { return *device = ordinal, 0; }
DRIVER cuDeviceGetName(char* name, int bytes, int) { return std::snprintf(name, static_cast<std::size_t>(bytes), "idle"), 0; }
DRIVER cuDeviceTotalMem_v2(std::size_t* bytes, int) { return *bytes = memoryBytes, 0; }
DRIVER cuDeviceGetAttribute(int* value, int attribute, int) {
	*value = attribute == 16 ? multiprocessors : attribute == 75 ? capability / 10 : capability % 10;
	return 0;
}
DRIVER cuDevicePrimaryCtxRetain(Handle* made, int) { return *made = &object, 0; }
DRIVER cuDevicePrimaryCtxRelease_v2(int) { return 0; }
DRIVER cuCtxSetCurrent(Handle) { return 0; }
DRIVER cuCtxGetCurrent(Handle* current) { return *current = &object, 0; }
DRIVER cuStreamCreate(Handle* made, unsigned) { return *made = &object, 0; }
DRIVER cuStreamDestroy_v2(Handle) { return 0; }
DRIVER cuStreamSynchronize(Handle) { return 0; }
DRIVER cuModuleLoadData(Handle* made, const void*) { return *made = &object, 0; }
DRIVER cuModuleUnload(Handle) { return 0; }
DRIVER cuModuleGetFunction(Handle* made, Handle, const char*) { return *made = &object, 0; }
DRIVER cuFuncSetAttribute(Handle, int, int) { return 0; }
DRIVER cuMemAlloc_v2(std::uint64_t* address, std::size_t bytes) {
	*address = next;
	next += (bytes + 511) / 512 * 512;
	return 0;
}
DRIVER cuMemFree_v2(std::uint64_t) { return 0; }
DRIVER cuMemAllocHost_v2(std::uint64_t* address, std::size_t bytes) {
	*address = reinterpret_cast<std::uintptr_t>(std::calloc(bytes, 1));
	return 0;
}
DRIVER cuMemFreeHost(std::uint64_t address) { return std::free(reinterpret_cast<void*>(address)), 0; }
DRIVER cuMemGetInfo_v2(std::size_t* free, std::size_t* total) { return *free = *total = memoryBytes, 0; }
DRIVER cuMemcpyHtoDAsync_v2(std::uint64_t, const void*, std::size_t, Handle) { return 0; }
DRIVER cuMemcpyDtoHAsync_v2(void* host, std::uint64_t, std::size_t bytes, Handle) { return std::memset(host, 0xff, bytes), 0; }
DRIVER cuMemcpyDtoDAsync_v2(std::uint64_t, std::uint64_t, std::size_t, Handle) { return 0; }
DRIVER cuMemsetD32Async(std::uint64_t, unsigned, std::size_t, Handle) { return 0; }
DRIVER cuLaunchKernel(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void**, void**) { return 0; }
DRIVER cuTensorMapEncodeTiled(void*, int, unsigned, std::uint64_t, const void*, const void*, const void*, const void*, int, int, int, int) { return 0; }
DRIVER cuEventCreate(Handle* made, unsigned) { return *made = &object, 0; }
DRIVER cuEventDestroy_v2(Handle) { return 0; }
DRIVER cuEventRecord(Handle, Handle) { return 0; }
DRIVER cuStreamWaitEvent(Handle, Handle, unsigned) { return 0; }
DRIVER cuEventSynchronize(Handle) { return 0; }
DRIVER cuEventElapsedTime(float* milliseconds, Handle, Handle) { return *milliseconds = 0, 0; }
DRIVER cuGetErrorString(int, const char** text) { return *text = "idle", 0; }
