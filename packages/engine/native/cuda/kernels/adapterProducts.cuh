// An adapter's products of operands that are rounded to bfloat16, on tensor cores: its rank is one side of an instruction. Which columns an
// instruction calls its first does not matter as long as all operands agree, so each thread reads and writes eight neighbours.
#pragma once
#include "element.cuh"
#include "philox.cuh"
#include "tensorCore.cuh"

#ifdef BFLOAT16_TENSOR_CORES

/** Eight elements after dropout, rounded, two a word. `index`: of the first one. */
template <class Element>
static __device__ __forceinline__ void roundDropped(Word (&pairs)[4], const Eight<Element>& eight, Count index, const Mask& mask) {
	float values[8];
#pragma unroll
	for (int i = 0; i < 8; i++) values[i] = eight.get(i);
	dropEight(values, index, mask);
#pragma unroll
	for (int i = 0; i < 4; i++) pairs[i] = bfloat16Pair(values[2 * i], values[2 * i + 1]);
}

/** Elements (row, first + i) of a matrix whose element (r, d) lies at r × rowStride + d × stride, i below 8; zeros beyond its edges. */
static __device__ __forceinline__ Eight<float> eightFactors(const float* matrix, int rowStride, int stride, int row, int first, int rows, int count) {
	const float* const own = matrix + static_cast<Count>(row) * rowStride;
	const int length = row < rows ? count : 0;
	if (stride == 1) return eightOf(own, first, length, inSixteens(matrix, count) && rowStride % 4 == 0);
	Eight<float> eight;
#pragma unroll
	for (int i = 0; i < 8; i++) {
		if (first + i < length) eight.set(i, own[static_cast<Count>(first + i) * stride]);
	}
	return eight;
}

/** Elements (row, first) and (row, first + 1) of a matrix whose element (i, r) lies at i × rowStride + r × stride, rounded; zeros beyond its edges. */
static __device__ __forceinline__ Word roundedPair(const float* matrix, int rowStride, int stride, int row, int first, int rows, int count) {
	const float* const own = matrix + static_cast<Count>(row) * rowStride + static_cast<Count>(first) * stride;
	const bool isRow = row < rows;
	return bfloat16Pair(isRow && first < count ? own[0] : 0.0f, isRow && first + 1 < count ? own[stride] : 0.0f);
}

/** The narrow side of a pair of products: its input [T, depth], and a matrix whose element (r, d) lies at r × ofRank + d × ofDepth. */
template <class Element>
struct NarrowSide {
	const Element* x;
	int depth;
	const float* matrix;
	int ofRank, ofDepth;
	float scale;
};
/** The wide side: its result [T, columns], and a matrix whose element (r, n) lies at r × ofRank + n × ofColumn. */
template <class Element>
struct WideSide {
	Element* out;
	int accumulate, columns;
	const float* matrix;
	int ofRank, ofColumn;
	float scale;
};

/**
 * middle [T, rank] = narrow.scale × dropout(narrow.x) · narrow.matrix, out (+)= wide.scale × dropout(middle · wide.matrix): h = dropout(x) · Aᵀ
 * with y += scale × h · Bᵀ, and dh = scale × dy · B with dx += dropout(dh · A). A block has sixteen rows, so that both are one kernel; a warp
 * takes 32 of the depth or of the columns after 32. The order of a row's sums does not depend on how many others there are. Without an x
 * `middle` is read, without an `out` it is all.
 */
template <class Element>
static __device__ __forceinline__ void multiplyThroughRank(float* middle, int tokens, int rank, const NarrowSide<Element>& narrow, const Mask& narrowMask,
														   const WideSide<Element>& wide, const Mask& wideMask) {
	constexpr int mostWarps = 16, rows = 16, rankBlocks = 4, blockOfRank = 8, sumsOfBlock = rows * blockOfRank, ofWarp = 32, atOnce = 2;
	__shared__ float partial[mostWarps][rankBlocks * sumsOfBlock];
	__shared__ float ofRows[rankBlocks * sumsOfBlock];
	const int lane = threadIdx.x % warpSize32, group = lane / 4, inGroup = lane % 4;
	const int warp = threadIdx.x / warpSize32, warps = blockDim.x / warpSize32, stride = warps * ofWarp;
	const int firstRow = blockIdx.x * rows;
	if (narrow.x != nullptr) {
		const bool wholeEights = inSixteens(narrow.x, narrow.depth);
		const auto factorsOf = [&](int block, int d) {
			return eightFactors(narrow.matrix, narrow.ofRank, narrow.ofDepth, blockOfRank * block + group, d, rank, narrow.depth);
		};
		float sums[rankBlocks][4] = {};
		for (int first = warp * ofWarp + 8 * inGroup; first - 8 * inGroup < narrow.depth; first += atOnce * stride) {
			Eight<Element> eights[atOnce][2];
			Eight<float> factors[atOnce];
#pragma unroll
			for (int step = 0; step < atOnce; step++) {
				const int d = first + step * stride;
#pragma unroll
				for (int half = 0; half < 2; half++) {
					const int row = firstRow + 8 * half + group;
					eights[step][half] = eightOf(narrow.x + static_cast<Count>(row) * narrow.depth, d, row < tokens ? narrow.depth : 0, wholeEights);
				}
				factors[step] = factorsOf(0, d);
			}
#pragma unroll
			for (int step = 0; step < atOnce; step++) {
				const int d = first + step * stride;
				Word a[2][4];
#pragma unroll
				for (int half = 0; half < 2; half++) {
					const Count row = firstRow + 8 * half + group;
					roundDropped(a[half], eights[step][half], row * narrow.depth + d, narrowMask);
				}
#pragma unroll
				for (int block = 0; block < rankBlocks; block++) {
					if (blockOfRank * block >= rank) break;
					const Eight<float> own = block == 0 ? factors[step] : factorsOf(block, d);
#pragma unroll
					for (int i = 0; i < 4; i += 2) {
						multiplyBfloat16(sums[block], {a[0][i], a[1][i], a[0][i + 1], a[1][i + 1]}, bfloat16Pair(own.get(2 * i), own.get(2 * i + 1)),
										 bfloat16Pair(own.get(2 * i + 2), own.get(2 * i + 3)));
					}
				}
			}
		}
#pragma unroll
		for (int block = 0; block < rankBlocks; block++) {
#pragma unroll
			for (int i = 0; i < 4; i++) partial[warp][block * sumsOfBlock + (8 * (i / 2) + group) * blockOfRank + 2 * inGroup + i % 2] = sums[block][i];
		}
		__syncthreads();
	}
	for (int i = threadIdx.x; i < rankBlocks * sumsOfBlock; i += blockDim.x) {
		const int row = firstRow + i % sumsOfBlock / blockOfRank, r = i / sumsOfBlock * blockOfRank + i % blockOfRank;
		ofRows[i] = 0.0f;
		if (row >= tokens || r >= rank) continue;
		float* const own = middle + static_cast<Count>(row) * rank + r;
		if (narrow.x == nullptr) {
			ofRows[i] = *own;
			continue;
		}
		float sum = 0.0f;
		for (int other = 0; other < warps; other++) sum += partial[other][i];
		ofRows[i] = *own = narrow.scale * sum;
	}
	if (wide.out == nullptr) return;
	__syncthreads();

	Word a[rankBlocks / 2][4];
#pragma unroll
	for (int i = 0; i < rankBlocks * 2; i++) {
		// the fragments of two blocks of the rank: rows first
		const float* const two = ofRows + i / 2 * sumsOfBlock + (i % 2 * 8 + group) * blockOfRank + 2 * inGroup;
		a[i / 4][i % 4] = bfloat16Pair(two[0], two[1]);
	}
	const bool wholeEights = inSixteens(wide.out, wide.columns);
	for (int first = warp * ofWarp; first < wide.columns; first += atOnce * stride) {
		Eight<Element> before[atOnce][2];
		if (wide.accumulate) {
#pragma unroll
			for (int step = 0; step < atOnce; step++) {
#pragma unroll
				for (int half = 0; half < 2; half++) {
					const int row = firstRow + 8 * half + group, column = first + step * stride + 8 * inGroup;
					before[step][half] = eightOf(wide.out + static_cast<Count>(row) * wide.columns, column, row < tokens ? wide.columns : 0, wholeEights);
				}
			}
		}
#pragma unroll
		for (int step = 0; step < atOnce; step++) {
			const int from = first + step * stride;
			float sums[4][4] = {};
#pragma unroll
			for (int pair = 0; pair < rankBlocks / 2; pair++) {
				if (2 * blockOfRank * pair >= rank) break;
				const int r = 2 * blockOfRank * pair + 2 * inGroup;
#pragma unroll
				for (int j = 0; j < 4; j++) {
					// of an instruction's eight columns, those that a thread gets are neighbours of its others
					const int column = from + 8 * (group / 2) + 2 * j + group % 2;
					const Word low = roundedPair(wide.matrix, wide.ofColumn, wide.ofRank, column, r, wide.columns, rank);
					const Word high = roundedPair(wide.matrix, wide.ofColumn, wide.ofRank, column, r + blockOfRank, wide.columns, rank);
					multiplyBfloat16(sums[j], a[pair], low, high);
				}
			}
#pragma unroll
			for (int half = 0; half < 2; half++) {
				const Count row = firstRow + 8 * half + group;
				const int column = from + 8 * inGroup;
				if (row >= tokens || column >= wide.columns) continue;
				float values[8];
#pragma unroll
				for (int c = 0; c < 8; c++) values[c] = sums[c / 2][2 * half + c % 2];
				dropEight(values, row * wide.columns + column, wideMask);
#pragma unroll
				for (int c = 0; c < 8; c++) values[c] = before[step][half].get(c) + wide.scale * values[c];
				storeEight(wide.out + row * wide.columns, values, column, wide.columns);
			}
		}
	}
}

#define ADAPTER_PRODUCT_KERNELS(suffix, Element) \
	KERNEL __launch_bounds__(512) adapterProduct##suffix(float* middle, int tokens, int rank, const Element* x, int depth, const float* narrow, int narrowRank, int narrowDepth, float narrowScale, Mask narrowMask, Element* out, int accumulate, int columns, const float* wide, int wideRank, int wideColumn, float wideScale, Mask wideMask) { \
		multiplyThroughRank<Element>(middle, tokens, rank, {x, depth, narrow, narrowRank, narrowDepth, narrowScale}, narrowMask, {out, accumulate, columns, wide, wideRank, wideColumn, wideScale}, wideMask); \
	}
FOR_ELEMENTS(ADAPTER_PRODUCT_KERNELS)
#undef ADAPTER_PRODUCT_KERNELS
#endif
