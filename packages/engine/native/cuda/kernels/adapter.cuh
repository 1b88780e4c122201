// An adapter's products: one side of each is its rank, a few numbers, so they are bound by the memory of the other. Dropout's mask is made
// where its numbers are used, and operands are rounded there where the precision says so. Eight of the rank at a time.
#pragma once
#include "element.cuh"
#include "philox.cuh"
#include "reduce.cuh"

constexpr int ranksAtOnce = 8, adapterRows = 8;

static __device__ __forceinline__ float roundedTo(float value, int inBfloat16) {
	return inBfloat16 ? floatOfBfloat16(bfloat16OfFloat(value)) : value;
}

/** Elements [column, column + 8) of a row of x [·, columns] after dropout; zeros beyond the row. */
template <class Element>
static __device__ __forceinline__ void eightDropped(float (&values)[8], const Element* x, Count row, int column, int columns,
													const Mask& mask) {
	const Count start = row * columns;
	loadEight(values, x + start, column, columns);
	dropEight(values, start + column, mask);
}

/**
 * factors [ranks][8]: elements (firstRank + r, first + i) of a matrix whose element (r, d) lies at r × rankStride + d × otherStride; zeros
 * beyond its edges.
 */
template <int ranks>
static __device__ __forceinline__ void loadFactors(float (&factors)[ranks][8], const float* matrix, int rankStride,
												   int otherStride, int firstRank, int first, int rank, int count, int inBfloat16) {
	const bool isInside = firstRank + ranks <= rank && first + 8 <= count && alignedTo(matrix, 16);
	if (isInside && otherStride == 1 && rankStride % 4 == 0) {
#pragma unroll
		for (int r = 0; r < ranks; r++) loadEight(factors[r], matrix + static_cast<Count>(firstRank + r) * rankStride + first);
	} else if (isInside && rankStride == 1 && otherStride % 4 == 0) {
#pragma unroll
		for (int i = 0; i < 8; i++) {
			const float* const ofRanks = matrix + static_cast<Count>(first + i) * otherStride + firstRank;
#pragma unroll
			for (int r = 0; r < ranks; r += 4) {
				const float4 four = *reinterpret_cast<const float4*>(ofRanks + r);
				factors[r][i] = four.x, factors[r + 1][i] = four.y, factors[r + 2][i] = four.z, factors[r + 3][i] = four.w;
			}
		}
	} else {
#pragma unroll
		for (int r = 0; r < ranks; r++) {
#pragma unroll
			for (int i = 0; i < 8; i++) {
				const bool there = firstRank + r < rank && first + i < count;
				const Count at = static_cast<Count>(firstRank + r) * rankStride + static_cast<Count>(first + i) * otherStride;
				factors[r][i] = there ? matrix[at] : 0.0f;
			}
		}
	}
#pragma unroll
	for (int r = 0; r < ranks; r++) {
#pragma unroll
		for (int i = 0; i < 8; i++) factors[r][i] = roundedTo(factors[r][i], inBfloat16);
	}
}

/**
 * out [T, rank] = scale × dropout(x) [T, depth] · narrow, whose element (r, d) lies at r × narrowRank + d × narrowDepth: h = dropout(x) · Aᵀ
 * and dh = scale × dy · B. A block eight rows; each thread adds up eight neighbours after eight.
 */
template <class Element>
static __device__ __forceinline__ void multiplyDown(float* out, float scale, const Element* x, const float* narrow, int narrowRank, int narrowDepth,
													int tokens, int depth, int rank, int inBfloat16, const Mask& mask) {
	constexpr int mostWarps = 8;
	__shared__ float partial[mostWarps][adapterRows * ranksAtOnce];
	const int firstRow = blockIdx.x * adapterRows, firstRank = blockIdx.y * ranksAtOnce;
	float sums[adapterRows][ranksAtOnce] = {};
	for (int d = 8 * threadIdx.x; d < depth; d += 8 * blockDim.x) {
		float factors[ranksAtOnce][8];
		loadFactors(factors, narrow, narrowRank, narrowDepth, firstRank, d, rank, depth, inBfloat16);
#pragma unroll
		for (int row = 0; row < adapterRows; row++) {
			if (firstRow + row >= tokens) break;
			float values[8];
			eightDropped(values, x, firstRow + row, d, depth, mask);
#pragma unroll
			for (int i = 0; i < 8; i++) {
				const float value = roundedTo(values[i], inBfloat16);
#pragma unroll
				for (int r = 0; r < ranksAtOnce; r++) sums[row][r] += value * factors[r][i];
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
 * h · Bᵀ and dx += dropout(dh · A). A thread eight columns of eight rows.
 */
template <class Element>
static __device__ __forceinline__ void multiplyUp(Element* out, int accumulate, float scale, const float* narrow, const float* wide, int wideRank,
												  int wideColumn, int tokens, int columns, int rank, int inBfloat16, const Mask& mask) {
	const int column = 8 * static_cast<int>(threadInGrid()), firstRow = blockIdx.y * adapterRows;
	if (column >= columns) return;
	float sums[adapterRows][8] = {};
	constexpr int ranksOfPart = 4;  // fewer registers, so that more blocks wait for memory at once
#pragma unroll 1
	for (int firstRank = 0; firstRank < rank; firstRank += ranksOfPart) {
		float factors[ranksOfPart][8];
		loadFactors(factors, wide, wideRank, wideColumn, firstRank, column, rank, columns, inBfloat16);
#pragma unroll
		for (int row = 0; row < adapterRows; row++) {
			if (firstRow + row >= tokens) break;
			const float* const own = narrow + static_cast<Count>(firstRow + row) * rank + firstRank;
#pragma unroll
			for (int r = 0; r < ranksOfPart; r++) {
				const float value = firstRank + r < rank ? roundedTo(own[r], inBfloat16) : 0.0f;
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

/**
 * out (r, n) at r × outRank + n × outColumn (+)= scale × Σ_t narrow [T, rank] × dropout(wide) [T, columns], of float32 operands: dB = scale × dyᵀ · h
 * and dA = dhᵀ · dropout(x). A block 64 columns; each of its 16 warps adds up every sixteenth row, two columns a thread.
 */
template <class Element>
static __device__ __forceinline__ void multiplyOverTokens(float* out, int outRank, int outColumn, int accumulate, float scale, const float* narrow,
														  const Element* wide, int tokens, int columns, int rank, const Mask& mask) {
	constexpr int warps = 16, columnsOfBlock = 64;
	__shared__ float partial[warps][ranksAtOnce][columnsOfBlock];
	const int warp = threadIdx.x / warpSize32, lane = threadIdx.x % warpSize32;
	const int firstColumn = blockIdx.x * columnsOfBlock, column = firstColumn + 2 * lane, firstRank = blockIdx.y * ranksAtOnce;
	float sums[ranksAtOnce][2] = {};
#pragma unroll 4
	for (int t = warp; t < tokens; t += warps) {
		const Count index = static_cast<Count>(t) * columns + column;
		float values[2] = {column < columns ? floatOf(wide[index]) : 0.0f, column + 1 < columns ? floatOf(wide[index + 1]) : 0.0f};
		dropTwo(values, index, mask);
#pragma unroll
		for (int r = 0; r < ranksAtOnce; r++) {
			const float factor = firstRank + r < rank ? narrow[static_cast<Count>(t) * rank + firstRank + r] : 0.0f;
			sums[r][0] += factor * values[0];
			sums[r][1] += factor * values[1];
		}
	}
#pragma unroll
	for (int r = 0; r < ranksAtOnce; r++) {
		partial[warp][r][2 * lane] = sums[r][0];
		partial[warp][r][2 * lane + 1] = sums[r][1];
	}
	__syncthreads();
	const int r = threadIdx.x / columnsOfBlock, n = threadIdx.x % columnsOfBlock;
	if (firstRank + r >= rank || firstColumn + n >= columns) return;
	float sum = 0.0f;
	for (int other = 0; other < warps; other++) sum += partial[other][r][n];
	store(out + static_cast<Count>(firstRank + r) * outRank + static_cast<Count>(firstColumn + n) * outColumn, scale * sum, accumulate);
}

#define ADAPTER_KERNELS(suffix, Element) \
	KERNEL __launch_bounds__(256) adapterDown##suffix(float* out, float scale, const Element* x, const float* narrow, int narrowRank, int narrowDepth, int tokens, int depth, int rank, int inBfloat16, Mask mask) { \
		multiplyDown(out, scale, x, narrow, narrowRank, narrowDepth, tokens, depth, rank, inBfloat16, mask); \
	} \
	KERNEL __launch_bounds__(128) adapterUp##suffix(Element* out, int accumulate, float scale, const float* narrow, const float* wide, int wideRank, int wideColumn, int tokens, int columns, int rank, int inBfloat16, Mask mask) { \
		multiplyUp(out, accumulate, scale, narrow, wide, wideRank, wideColumn, tokens, columns, rank, inBfloat16, mask); \
	} \
	KERNEL __launch_bounds__(512) adapterGradient##suffix(float* out, int outRank, int outColumn, int accumulate, float scale, const float* narrow, const Element* wide, int tokens, int columns, int rank, Mask mask) { \
		multiplyOverTokens(out, outRank, outColumn, accumulate, scale, narrow, wide, tokens, columns, rank, mask); \
	}
FOR_ELEMENTS(ADAPTER_KERNELS)
#undef ADAPTER_KERNELS
