// What the kernels use of CUDA beyond C++: from NVRTC itself, or from the emulation where the same sources are compiled for the
// host. No header of the toolkit is needed, so NVRTC alone builds the kernels.
#pragma once

using Byte = unsigned char;
using SignedByte = signed char;
/** The bits of a bfloat16 or a float16. */
using Half = unsigned short;
using Word = unsigned int;
using Count = long long;

#ifdef VULNTUNE_EMULATION
#include "emulation/device.h"
#else
#define KERNEL extern "C" __global__ void
/** Shared memory whose size the launch says. */
#define DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#define INFINITE __int_as_float(0x7f800000)
#define GRID_CONSTANT __grid_constant__
#if __CUDA_ARCH__ == 900 && defined(__CUDA_ARCH_FEAT_SM90_ALL)
/** Instructions of compute capability 9.0a alone. */
#define HOPPER
#endif
#if __CUDA_ARCH__ >= 800
/** Tensor cores that take bfloat16, and copies to shared memory while threads go on. */
#define BFLOAT16_TENSOR_CORES
#elif __CUDA_ARCH__ >= 750
/** Turing's, which take float16 alone. A kernel that a module has no use for is not in it, so that nobody starts an empty one. */
#define FLOAT16_TENSOR_CORES
#endif

static __device__ __forceinline__ float floatOfFloat16(Half bits) {
	float value;
	asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
	return value;
}

/** Rounded to nearest even. */
static __device__ __forceinline__ Half float16OfFloat(float value) {
	Half bits;
	asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
	return bits;
}

/** a × b rounded by itself, never one operation with a sum after it. */
static __device__ __forceinline__ float roundedProduct(float a, float b) {
	float product;
	asm("mul.rn.f32 %0, %1, %2;" : "=f"(product) : "f"(a), "f"(b));
	return product;
}

/** sum + the products of four signed bytes of each word. */
static __device__ __forceinline__ int addProductsOfBytes(int a, int b, int sum) {
	int result;
	asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
	return result;
}

#ifdef BFLOAT16_TENSOR_CORES
/** Two bfloat16, the first in the lower half, rounded to nearest even. */
static __device__ __forceinline__ Word bfloat16Pair(float first, float second) {
	Word pair;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
	return pair;
}
#else
static __device__ __forceinline__ Word bfloat16Bits(float value) {
	const Word bits = __float_as_uint(value);
	if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
	return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

static __device__ __forceinline__ Word bfloat16Pair(float first, float second) {
	return bfloat16Bits(first) | (bfloat16Bits(second) << 16);
}
#endif
#endif

constexpr int warpSize32 = 32;
constexpr Word wholeWarp = 0xffffffffu;

static __device__ __forceinline__ float floatOfBfloat16(Half bits) {
	return __uint_as_float(static_cast<Word>(bits) << 16);
}

static __device__ __forceinline__ Half bfloat16OfFloat(float value) {
	return static_cast<Half>(bfloat16Pair(value, 0.0f) & 0xffffu);
}

/** Two float16, the first in the lower half. */
static __device__ __forceinline__ Word float16Pair(float first, float second) {
	return float16OfFloat(first) | static_cast<Word>(float16OfFloat(second)) << 16;
}

/** Position of this thread in a grid of one dimension. */
static __device__ __forceinline__ Count threadInGrid() {
	return static_cast<Count>(blockIdx.x) * blockDim.x + threadIdx.x;
}
