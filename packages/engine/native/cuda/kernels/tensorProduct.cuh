// Matrix products on tensor cores: bfloat16 operands, float32 sums. A result is the sum over the depth in steps of 16, in ascending
// order, whatever tile it lies in: rows don't depend on how many others there are.
//
// An operand lies with the depth contiguous ([rows, depth]), or by depth ([depth, rows]); its stride is a multiple of 8 elements, what
// is between its depth and the next multiple of 8 is zero, and it begins at a multiple of 16 bytes.
#pragma once
#include "element.cuh"
#include "tensorCore.cuh"

#if __CUDA_ARCH__ >= 800

struct Operand {
	const Half* data;
	int stride;
};

/** Where a tile's 16 bytes lie in shared memory: turned within a row, so that eight rows are read without conflicts. */
template <int chunksPerRow>
static __device__ __forceinline__ int chunkAt(int row, int chunk) {
	constexpr int rowsPerLine = chunksPerRow >= 8 ? 1 : 8 / chunksPerRow;
	constexpr int turn = chunksPerRow >= 8 ? 7 : chunksPerRow - 1;
	return row * chunksPerRow + (chunk ^ (row / rowsPerLine & turn));
}

/** A tile of an operand in shared memory: `size` rows of the result by `depthStep`. */
template <bool byDepth, int size, int depthStep>
struct Tile {
	static constexpr int chunksPerRow = (byDepth ? size : depthStep) / 8;
	static constexpr int chunks = size * depthStep / 8;

	template <int threads>
	static __device__ __forceinline__ void fetch(Half* tile, const Operand& operand, int first, int count, int depthFirst, int depth) {
#pragma unroll
		for (int i = 0; i < chunks / threads; i++) {
			const int at = i * threads + threadIdx.x;
			const int row = at / chunksPerRow, chunk = at % chunksPerRow;
			const int outer = (byDepth ? depthFirst : first) + row, inner = (byDepth ? first : depthFirst) + 8 * chunk;
			const bool there = outer < (byDepth ? depth : count) && inner < (byDepth ? count : depth);
			const Half* source = operand.data + (there ? static_cast<Count>(outer) * operand.stride + inner : 0);
			copyAsync(tile + 8 * chunkAt<chunksPerRow>(row, chunk), source, there);
		}
	}

	/** The fragment of rows [first, first + 16) and 16 of the depth: a left operand, or two right ones of 8 columns. */
	static __device__ __forceinline__ void load(Word (&fragment)[4], const Half* tile, int first, int depthFirst, bool isLeft) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8, row = lane % 8;
		// left: matrices go down the rows first; right: along the depth first
		const int down = 8 * (isLeft ? matrix % 2 : matrix / 2), along = 8 * (isLeft ? matrix / 2 : matrix % 2);
		const int outer = byDepth ? depthFirst + along + row : first + down + row;
		const int inner = byDepth ? first + down : depthFirst + along;
		loadMatrices(fragment, tile + 8 * chunkAt<chunksPerRow>(outer, inner / 8), byDepth);
	}
};

/** Tiles go down `rowsPerGroup` rows of tiles before they go right, so that blocks at work share both operands in the cache. */
struct TilePlace {
	int row, column;
};
static __device__ __forceinline__ TilePlace tilePlace(int tile, int rowTiles, int columnTiles) {
	constexpr int rowsPerGroup = 16;
	const int group = tile / (rowsPerGroup * columnTiles);
	const int firstRow = group * rowsPerGroup;
	const int rowsHere = min(rowTiles - firstRow, rowsPerGroup);
	const int inGroup = tile - group * rowsPerGroup * columnTiles;
	return {firstRow + inGroup % rowsHere, inGroup / rowsHere};
}

template <int blockRows, int blockColumns, int warpRows, int warpColumns, int depthStep, int stages, bool leftByDepth, bool rightByDepth, class Element>
static __device__ __forceinline__ void multiply(Element* out, int accumulate, float scale, const Operand& left, const Operand& right,
												int rows, int columns, int depth) {
	constexpr int warpsDown = blockRows / warpRows, threads = warpSize32 * warpsDown * (blockColumns / warpColumns);
	constexpr int rowFragments = warpRows / 16, columnFragments = warpColumns / 8;
	using LeftTile = Tile<leftByDepth, blockRows, depthStep>;
	using RightTile = Tile<rightByDepth, blockColumns, depthStep>;
	constexpr int leftHalves = blockRows * depthStep, stageHalves = leftHalves + blockColumns * depthStep;
	DYNAMIC_SHARED(shared);
	Half* const tiles = reinterpret_cast<Half*>(shared);

	const TilePlace place = tilePlace(blockIdx.x, (rows + blockRows - 1) / blockRows, (columns + blockColumns - 1) / blockColumns);
	const int firstRow = place.row * blockRows, firstColumn = place.column * blockColumns;
	const int warp = threadIdx.x / warpSize32;
	const int warpRow = warp % warpsDown * warpRows, warpColumn = warp / warpsDown * warpColumns;
	const int steps = (depth + depthStep - 1) / depthStep;

	const auto fetch = [&](int step) {
		if (step < steps) {
			Half* const stage = tiles + step % stages * stageHalves;
			LeftTile::template fetch<threads>(stage, left, firstRow, rows, step * depthStep, depth);
			RightTile::template fetch<threads>(stage + leftHalves, right, firstColumn, columns, step * depthStep, depth);
		}
		commitCopies();  // an empty group too, so that the count of groups says which step has arrived
	};

	float sums[rowFragments][columnFragments][4] = {};
#pragma unroll
	for (int step = 0; step < stages - 1; step++) fetch(step);
	for (int step = 0; step < steps; step++) {
		waitForCopies<stages - 2>();
		__syncthreads();
		fetch(step + stages - 1);
		const Half* const stage = tiles + step % stages * stageHalves;
#pragma unroll
		for (int within = 0; within < depthStep; within += 16) {
			Word a[rowFragments][4], b[columnFragments / 2][4];
#pragma unroll
			for (int i = 0; i < rowFragments; i++) LeftTile::load(a[i], stage, warpRow + 16 * i, within, true);
#pragma unroll
			for (int j = 0; j < columnFragments / 2; j++) {
				RightTile::load(b[j], stage + leftHalves, warpColumn + 16 * j, within, false);
			}
#pragma unroll
			for (int i = 0; i < rowFragments; i++) {
#pragma unroll
				for (int j = 0; j < columnFragments; j++) {
					multiplyBfloat16(sums[i][j], a[i], b[j / 2][2 * (j % 2)], b[j / 2][2 * (j % 2) + 1]);
				}
			}
		}
	}
	waitForCopies<0>();

	const int lane = threadIdx.x % warpSize32;
	const bool inPairs = storesPairs(out, columns);
#pragma unroll
	for (int i = 0; i < rowFragments; i++) {
#pragma unroll
		for (int half = 0; half < 2; half++) {
			const int row = firstRow + warpRow + 16 * i + 8 * half + lane / 4;
			if (row >= rows) continue;
			Element* const target = out + static_cast<Count>(row) * columns;
#pragma unroll
			for (int j = 0; j < columnFragments; j++) {
				const float* const two = sums[i][j] + 2 * half;
				storeTwo(target, firstColumn + warpColumn + 8 * j + lane % 4 * 2, columns, scale * two[0], scale * two[1], accumulate, inPairs);
			}
		}
	}
}
#endif

// The sizes stand once more in `tensorTiles` of the backend's products.ts.
#if __CUDA_ARCH__ >= 800
#define PRODUCT_BODY(blockRows, blockColumns, warpRows, warpColumns, depthStep, stages, leftByDepth, rightByDepth) \
	multiply<blockRows, blockColumns, warpRows, warpColumns, depthStep, stages, leftByDepth, rightByDepth>(       \
		out, accumulate, scale, {left, leftStride}, {right, rightStride}, rows, columns, depth)
#else
#define PRODUCT_BODY(...)
#endif
