// CUDA's language on the host: what a kernel may use, for kernels that are compiled with a C++ compiler. A block's threads are
// fibers; a barrier hands over to the next one. Blocks run one after the other, so anything that is static is shared by a block.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

// the kernels of every card
#define BFLOAT16_TENSOR_CORES
#define FLOAT16_TENSOR_CORES
#define __global__
#define __device__
#define __constant__
#define __forceinline__ inline
#define __restrict__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
#define KERNEL extern "C" void
#define DYNAMIC_SHARED(name) unsigned char* const name = emulation::dynamicShared
#define INFINITE __builtin_inff()
#define GRID_CONSTANT

struct Position {
	unsigned x, y, z;
};
struct float2 {
	float x, y;
};
struct alignas(16) float4 {
	float x, y, z, w;
};
struct alignas(8) uint2 {
	unsigned x, y;
};
struct alignas(16) uint4 {
	unsigned x, y, z, w;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

extern Position threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
/** What a launch gave as dynamic shared memory; poisoned before every block. */
extern unsigned char* dynamicShared;
/** Ends the launch with an error that the stand-in driver reports. */
[[noreturn]] void fail(const char* what);
void blockBarrier();
/** Waits for the 32 threads of a warp and gives the values that each of them brought. */
struct Exchange {
	std::uint64_t words[4];
};
const Exchange* exchange(const Exchange& own);
/** 16 bytes that arrive when they are waited for, no earlier: the slowest that a card may be. */
void copyLater(void* target, const void* source, unsigned bytes);
void commitCopies();
void waitForCopies(int groupsLeft);
}  // namespace emulation

static inline void __syncthreads() { emulation::blockBarrier(); }
static inline void __syncwarp() { emulation::exchange({}); }

template <class Value>
static inline Value exchanged(Value value, unsigned lane) {
	static_assert(sizeof(Value) <= 8);
	emulation::Exchange own{};
	std::memcpy(own.words, &value, sizeof value);
	const emulation::Exchange* all = emulation::exchange(own);
	std::memcpy(&value, all[lane & 31u].words, sizeof value);
	return value;
}
template <class Value>
static inline Value __shfl_sync(unsigned, Value value, int lane) {
	return exchanged(value, static_cast<unsigned>(lane));
}
template <class Value>
static inline Value __shfl_xor_sync(unsigned, Value value, int mask) {
	return exchanged(value, (threadIdx.x & 31u) ^ static_cast<unsigned>(mask));
}

static inline float __uint_as_float(unsigned bits) {
	float value;
	std::memcpy(&value, &bits, 4);
	return value;
}
static inline unsigned __float_as_uint(float value) {
	unsigned bits;
	std::memcpy(&bits, &value, 4);
	return bits;
}
static inline unsigned __umulhi(unsigned a, unsigned b) {
	return static_cast<unsigned>((static_cast<std::uint64_t>(a) * b) >> 32);
}
static inline int addProductsOfBytes(int a, int b, int sum) {
	for (int i = 0; i < 4; i++) {
		sum += static_cast<std::int8_t>(a >> (8 * i)) * static_cast<std::int8_t>(b >> (8 * i));
	}
	return sum;
}
static inline float __fdividef(float a, float b) { return a / b; }
static inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
static inline int atomicMin(int* target, int value) {
	const int before = *target;
	if (value < before) *target = value;
	return before;
}
static inline int atomicMax(int* target, int value) {
	const int before = *target;
	if (value > before) *target = value;
	return before;
}
static inline unsigned atomicInc(unsigned* target, unsigned most) {
	const unsigned before = *target;
	*target = before >= most ? 0 : before + 1;
	return before;
}
static inline void __threadfence() {}
template <class Value>
static inline Value min(Value a, Value b) {
	return a < b ? a : b;
}
template <class Value>
static inline Value max(Value a, Value b) {
	return a > b ? a : b;
}

static inline float roundedProduct(float a, float b) {
	volatile float product = a * b;
	return product;
}
static inline float floatOfFloat16(unsigned short bits) {
	_Float16 value;
	std::memcpy(&value, &bits, 2);
	return static_cast<float>(value);
}
static inline unsigned short float16OfFloat(float value) {
	const _Float16 rounded = static_cast<_Float16>(value);
	unsigned short bits;
	std::memcpy(&bits, &rounded, 2);
	return bits;
}
static inline unsigned bfloat16Bits(float value) {
	const unsigned bits = __float_as_uint(value);
	if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
	return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}
static inline unsigned bfloat16Pair(float first, float second) {
	return bfloat16Bits(first) | (bfloat16Bits(second) << 16);
}
