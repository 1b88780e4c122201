// An adapter's products in float32: one side of each is its rank, a few numbers, so they are bound by the memory of the other. Dropout's mask is
// made where its numbers are used.
#pragma once
#include "element.cuh"
#include "philox.cuh"
#include "reduce.cuh"

/** Few rows, whose sums leave registers for many threads that wait for memory at once. */
constexpr int ranksAtOnce = 8, adapterRows = 4, ranksOfPart = 4;

/**
 * factors [4][8]: elements (firstRank + r, first + i) of a matrix whose element (r, d) lies at r × rankStride + d × otherStride; zeros
 * beyond its edges.
 */
static __device__ __forceinline__ void loadFactors(float (&factors)[ranksOfPart][8], const float* matrix, int rankStride, int otherStride,
												   int firstRank, int first, int rank, int count) {
	const bool isInside = firstRank + ranksOfPart <= rank && first + 8 <= count && alignedTo(matrix, 16);
	if (isInside && otherStride == 1 && rankStride % 4 == 0) {
#pragma unroll
		for (int r = 0; r < ranksOfPart; r++) loadEight(factors[r], matrix + static_cast<Count>(firstRank + r) * rankStride + first);
	} else if (isInside && rankStride == 1 && otherStride % 4 == 0) {
#pragma unroll
		for (int i = 0; i < 8; i++) {
			const float4 four = *reinterpret_cast<const float4*>(matrix + static_cast<Count>(first + i) * otherStride + firstRank);
			factors[0][i] = four.x, factors[1][i] = four.y, factors[2][i] = four.z, factors[3][i] = four.w;
		}
	} else {
#pragma unroll
		for (int r = 0; r < ranksOfPart; r++) {
#pragma unroll
			for (int i = 0; i < 8; i++) {
				const bool there = firstRank + r < rank && first + i < count;
				const Count at = static_cast<Count>(firstRank + r) * rankStride + static_cast<Count>(first + i) * otherStride;
				factors[r][i] = there ? matrix[at] : 0.0f;
			}
		}
	}
}

/**
 * out [T, rank] = scale × dropout(x) [T, depth] · narrow, whose element (r, d) lies at r × narrowRank + d × narrowDepth: h = dropout(x) · Aᵀ
 * and dh = scale × dy · B. A block four rows; each thread adds up eight neighbours after eight.
 */
template <class Element>
static __device__ __forceinline__ void multiplyDown(float* out, float scale, const Element* x, const float* narrow, int narrowRank, int narrowDepth,
													int tokens, int depth, int rank, const Mask& mask) {
	constexpr int mostWarps = 8;
	__shared__ float partial[mostWarps][adapterRows * ranksAtOnce];
	const int firstRow = blockIdx.x * adapterRows, firstRank = blockIdx.y * ranksAtOnce;
	float sums[adapterRows][ranksAtOnce] = {};
	for (int d = 8 * threadIdx.x; d < depth; d += 8 * blockDim.x) {
		float values[adapterRows][8];
#pragma unroll
		for (int row = 0; row < adapterRows; row++) {
			const Count start = static_cast<Count>(firstRow + row) * depth;
			loadEight(values[row], x + start, d, firstRow + row < tokens ? depth : 0);
			dropEight(values[row], start + d, mask);
		}
#pragma unroll
		for (int part = 0; part < ranksAtOnce; part += ranksOfPart) {
			float factors[ranksOfPart][8];
			loadFactors(factors, narrow, narrowRank, narrowDepth, firstRank + part, d, rank, depth);
#pragma unroll
			for (int row = 0; row < adapterRows; row++) {
#pragma unroll
				for (int i = 0; i < 8; i++) {
#pragma unroll
					for (int r = 0; r < ranksOfPart; r++) sums[row][part + r] += values[row][i] * factors[r][i];
				}
			}
		}
	}
#pragma unroll
	for (int row = 0; row < adapterRows; row++) {
#pragma unroll
		for (int r = 0; r < ranksAtOnce; r++) {
			const float sum = overWarp<add>(sums[row][r]);
			if (threadIdx.x % warpSize32 == 0) partial[threadIdx.x / warpSize32][row * ranksAtOnce + r] = sum;
		}
	}
	__syncthreads();
	const int warps = blockDim.x / warpSize32;
	for (int i = threadIdx.x; i < adapterRows * ranksAtOnce; i += blockDim.x) {
		const int row = firstRow + i / ranksAtOnce, r = firstRank + i % ranksAtOnce;
		if (row >= tokens || r >= rank) continue;
		float sum = 0.0f;
		for (int warp = 0; warp < warps; warp++) sum += partial[warp][i];
		out[static_cast<Count>(row) * rank + r] = scale * sum;
	}
}

/**
 * out [T, columns] (+)= scale × dropout(narrow [T, rank] · wide), whose element (r, n) lies at r × wideRank + n × wideColumn: y += scale ×
 * h · Bᵀ and dx += dropout(dh · A). A thread eight columns of four rows.
 */
template <class Element>
static __device__ __forceinline__ void multiplyUp(Element* out, int accumulate, float scale, const float* narrow, const float* wide, int wideRank,
												  int wideColumn, int tokens, int columns, int rank, const Mask& mask) {
	const int column = 8 * static_cast<int>(threadInGrid()), firstRow = blockIdx.y * adapterRows;
	if (column >= columns) return;
	float sums[adapterRows][8] = {};
#pragma unroll 1
	for (int firstRank = 0; firstRank < rank; firstRank += ranksOfPart) {
		float factors[ranksOfPart][8];
		loadFactors(factors, wide, wideRank, wideColumn, firstRank, column, rank, columns);
#pragma unroll
		for (int row = 0; row < adapterRows; row++) {
			if (firstRow + row >= tokens) break;
			const float* const own = narrow + static_cast<Count>(firstRow + row) * rank + firstRank;
#pragma unroll
			for (int r = 0; r < ranksOfPart; r++) {
				const float value = firstRank + r < rank ? own[r] : 0.0f;
#pragma unroll
				for (int i = 0; i < 8; i++) sums[row][i] += value * factors[r][i];
			}
		}
	}
#pragma unroll
	for (int row = 0; row < adapterRows; row++) {
		if (firstRow + row >= tokens) break;
		const Count start = static_cast<Count>(firstRow + row) * columns;
		dropEight(sums[row], start + column, mask);
		float before[8] = {};
		if (accumulate) loadEight(before, out + start, column, columns);
#pragma unroll
		for (int i = 0; i < 8; i++) before[i] += scale * sums[row][i];
		storeEight(out + start, before, column, columns);
	}
}

#define ADAPTER_KERNELS(suffix, Element) \
	KERNEL __launch_bounds__(256) adapterDown##suffix(float* out, float scale, const Element* x, const float* narrow, int narrowRank, int narrowDepth, int tokens, int depth, int rank, Mask mask) { \
		multiplyDown(out, scale, x, narrow, narrowRank, narrowDepth, tokens, depth, rank, mask); \
	} \
	KERNEL __launch_bounds__(128, 4) adapterUp##suffix(Element* out, int accumulate, float scale, const float* narrow, const float* wide, int wideRank, int wideColumn, int tokens, int columns, int rank, Mask mask) { \
		multiplyUp(out, accumulate, scale, narrow, wide, wideRank, wideColumn, tokens, columns, rank, mask); \
	}
FOR_ELEMENTS(ADAPTER_KERNELS)
#undef ADAPTER_KERNELS
