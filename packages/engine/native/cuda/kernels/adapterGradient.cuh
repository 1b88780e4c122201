// The gradients of an adapter's two matrices: sums over the tokens, of float32 operands whatever the precision.
#pragma once
#include "element.cuh"
#include "philox.cuh"

/** Blocks have a slab of the tokens each; the last of those with the same part of the result adds up what all have found, slab by slab. */
constexpr int rowsOfSlab = 128, columnsOfGradient = 64, ranksOfGradient = 8, mostGradientTiles = 16384;
/** How many slabs of each part of a result are there; atomicInc leaves zeros again. Kernels of one module run one after the other. */
static __device__ Word slabsThere[mostGradientTiles];

/** Adds up the sums of two threads `distance` apart: of 2 × `ranks`, the lower one keeps the first half and the upper one the second. */
template <int ranks>
static __device__ __forceinline__ void shareSums(float (&sums)[ranksOfGradient][8], int distance) {
	const bool isUpper = (threadIdx.x & distance) != 0;
#pragma unroll
	for (int r = 0; r < ranks; r++) {
#pragma unroll
		for (int i = 0; i < 8; i++) {
			const float first = sums[r][i], second = sums[r + ranks][i];
			sums[r][i] = (isUpper ? second : first) + __shfl_xor_sync(wholeWarp, isUpper ? first : second, distance);
		}
	}
}

/** A gradient [rank, columns], or its transpose: (+)= scale × Σ_t narrow [T, rank] × wide [T, columns]. */
template <class Element>
struct Gradient {
	float* out;
	int accumulate;
	float scale;
	const float* narrow;
	const Element* wide;
	int columns;

	__device__ __forceinline__ int tiles() const { return (columns + columnsOfGradient - 1) / columnsOfGradient; }
};

/**
 * dB [outputs, rank] = scale × dyᵀ · h and dA [rank, inputs] = dhᵀ · dropout(x), in one: either is left out where it has no columns. A block has eight
 * of the rank and 64 columns of a slab, a thread eight columns of every 32nd row. `partials` has room for the sums of each block, where there
 * are several slabs.
 */
template <class Element>
static __device__ __forceinline__ void multiplyOverTokens(const Gradient<Element>& ofB, const Gradient<Element>& ofA, float* partials, int tokens,
														  int rank, Mask mask) {
	constexpr int threads = 256, warps = threads / warpSize32, chunks = columnsOfGradient / 8, rowsAtOnce = threads / chunks;
	constexpr int rowsOfThread = rowsOfSlab / rowsAtOnce, sumsOfBlock = ranksOfGradient * columnsOfGradient;
	// a padded row, so that neither order of the result has threads wait for one another
	constexpr int foursOfRow = columnsOfGradient / 4 + 1;
	__shared__ float4 factors[rowsOfSlab][2];
	__shared__ float4 sumsOfWarps[warps][ranksOfGradient][foursOfRow];
	__shared__ bool isLast;
	const bool isB = blockIdx.x < ofB.tiles();
	const float* const narrow = isB ? ofB.narrow : ofA.narrow;
	const Element* const wide = isB ? ofB.wide : ofA.wide;
	const int columns = isB ? ofB.columns : ofA.columns;
	if (isB) mask.threshold = 0;
	const int firstRow = blockIdx.y * rowsOfSlab, row = firstRow + threadIdx.x / chunks;
	const int firstColumn = (blockIdx.x - (isB ? 0 : ofB.tiles())) * columnsOfGradient, chunk = threadIdx.x % chunks, column = firstColumn + 8 * chunk;
	const int firstRank = blockIdx.z * ranksOfGradient;
	const bool wholeEights = inSixteens(wide, columns);
	Eight<Element> eights[rowsOfThread];
#pragma unroll
	for (int k = 0; k < rowsOfThread; k++) {
		const int own = row + k * rowsAtOnce;
		eights[k] = eightOf(wide + static_cast<Count>(own) * columns, column, own < tokens ? columns : 0, wholeEights);
	}
	for (int i = threadIdx.x; i < rowsOfSlab * ranksOfGradient; i += threads) {
		const int own = firstRow + i / ranksOfGradient, r = firstRank + i % ranksOfGradient;
		reinterpret_cast<float*>(factors)[i] = own < tokens && r < rank ? narrow[static_cast<Count>(own) * rank + r] : 0.0f;
	}
	__syncthreads();
	float sums[ranksOfGradient][8] = {};
#pragma unroll
	for (int k = 0; k < rowsOfThread; k++) {
		const int own = row + k * rowsAtOnce;
		float values[8];
#pragma unroll
		for (int i = 0; i < 8; i++) values[i] = eights[k].get(i);
		dropEight(values, static_cast<Count>(own) * columns + column, mask);
		const float4 low = factors[own - firstRow][0], high = factors[own - firstRow][1];
		const float ofRanks[ranksOfGradient] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
		for (int r = 0; r < ranksOfGradient; r++) {
#pragma unroll
			for (int i = 0; i < 8; i++) sums[r][i] += ofRanks[r] * values[i];
		}
	}
	// the four rows of a warp: two of the rank are left to each thread
	shareSums<4>(sums, 8);
	shareSums<2>(sums, 16);
	const int lane = threadIdx.x % warpSize32, warp = threadIdx.x / warpSize32, ownRank = lane / 8 % 2 * 4 + lane / 16 * 2;
#pragma unroll
	for (int r = 0; r < 2; r++) {
		sumsOfWarps[warp][ownRank + r][2 * chunk] = make_float4(sums[r][0], sums[r][1], sums[r][2], sums[r][3]);
		sumsOfWarps[warp][ownRank + r][2 * chunk + 1] = make_float4(sums[r][4], sums[r][5], sums[r][6], sums[r][7]);
	}
	__syncthreads();

	const int slabs = gridDim.y, tile = blockIdx.z * gridDim.x + blockIdx.x;
	float* const ofTile = partials + static_cast<Count>(tile) * slabs * sumsOfBlock;
	constexpr int sumsOfThread = sumsOfBlock / threads;
	float totals[sumsOfThread] = {};
	// in the order in which the result lies in memory
	const auto rankOf = [isB](int i) { return isB ? i % ranksOfGradient : i / columnsOfGradient; };
	const auto columnOf = [isB](int i) { return isB ? i / ranksOfGradient : i % columnsOfGradient; };
#pragma unroll
	for (int k = 0; k < sumsOfThread; k++) {
		const int i = threadIdx.x + k * threads;
#pragma unroll
		for (int other = 0; other < warps; other++) {
			totals[k] += reinterpret_cast<const float*>(sumsOfWarps[other][rankOf(i)])[columnOf(i)];
		}
		if (slabs > 1) ofTile[blockIdx.y * sumsOfBlock + i] = totals[k];
	}
	if (slabs > 1) {
		__threadfence();
		__syncthreads();
		if (threadIdx.x == 0) isLast = atomicInc(slabsThere + tile, slabs - 1) == slabs - 1;
		__syncthreads();
		if (!isLast) return;
		__threadfence();
#pragma unroll
		for (int k = 0; k < sumsOfThread; k++) totals[k] = 0.0f;
#pragma unroll 8
		for (int slab = 0; slab < slabs; slab++) {
#pragma unroll
			for (int k = 0; k < sumsOfThread; k++) totals[k] += ofTile[slab * sumsOfBlock + threadIdx.x + k * threads];
		}
	}
#pragma unroll
	for (int k = 0; k < sumsOfThread; k++) {
		const int i = threadIdx.x + k * threads, r = firstRank + rankOf(i), n = firstColumn + columnOf(i);
		if (r >= rank || n >= columns) continue;
		if (isB) store(ofB.out + static_cast<Count>(n) * rank + r, ofB.scale * totals[k], ofB.accumulate);
		else store(ofA.out + static_cast<Count>(r) * columns + n, ofA.scale * totals[k], ofA.accumulate);
	}
}

#define GRADIENT_KERNELS(suffix, Element) \
	KERNEL __launch_bounds__(256, 4 / sizeof(Element)) adapterGradients##suffix(float* dB, int accumulateB, float scale, const float* h, const Element* dy, int outputs, float* dA, int accumulateA, const float* dh, const Element* x, int inputs, float* partials, int tokens, int rank, Mask mask) { \
		multiplyOverTokens<Element>({dB, accumulateB, scale, h, dy, outputs}, {dA, accumulateA, 1.0f, dh, x, inputs}, partials, tokens, rank, mask); \
	}
FOR_ELEMENTS(GRADIENT_KERNELS)
#undef GRADIENT_KERNELS
