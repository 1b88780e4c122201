// Sums and maxima over a block in a fixed order: the same bytes in every run.
#pragma once
#include "../language.cuh"

static __device__ __forceinline__ float add(float a, float b) { return a + b; }
static __device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; }
static __device__ __forceinline__ float largerOrNan(float a, float b) { return a > b || a != a ? a : b; }

/** Over a warp, or over each group of so many of its threads. */
template <float (*combine)(float, float), int threads = warpSize32>
static __device__ __forceinline__ float overWarp(float value) {
#pragma unroll
	for (int distance = threads / 2; distance > 0; distance /= 2) {
		value = combine(value, __shfl_xor_sync(wholeWarp, value, distance));
	}
	return value;
}

/** Every thread of the block gets the result. `partial` has room for one value of each warp. */
template <float (*combine)(float, float)>
static __device__ __forceinline__ float overBlock(float value, float* partial) {
	const int warps = blockDim.x / warpSize32;
	value = overWarp<combine>(value);
	__syncthreads();  // the values of the last call have been read
	if (threadIdx.x % warpSize32 == 0) partial[threadIdx.x / warpSize32] = value;
	__syncthreads();
	value = partial[0];
	for (int warp = 1; warp < warps; warp++) value = combine(value, partial[warp]);
	return value;
}
