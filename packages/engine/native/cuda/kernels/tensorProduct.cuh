// Products of matrices on tensor cores, whatever type in 16 bits these take: tiles of operands in shared memory, and the sums of a warp. A
// result is the sum over the depth in steps of 16, in ascending order, whatever tile it lies in: rows don't depend on how many others there are.
//
// An operand lies with the depth contiguous ([rows, depth]), or by depth ([depth, rows]); its stride is a multiple of 8 elements, what
// is between its depth and the next multiple of 8 is zero, and it begins at a multiple of 16 bytes.
#pragma once
#include "element.cuh"
#include "tensorCore.cuh"

#if defined(BFLOAT16_TENSOR_CORES) || defined(FLOAT16_TENSOR_CORES)

struct Operand {
	const Half* data;
	int stride;

	__device__ __forceinline__ const Half* at(int outer, int inner) const { return data + static_cast<Count>(outer) * stride + inner; }
};

/** Where a tile's 16 bytes lie in shared memory: turned within a row, so that eight rows are read without conflicts. */
template <int chunksPerRow>
static __device__ __forceinline__ int chunkAt(int row, int chunk) {
	constexpr int rowsPerLine = chunksPerRow >= 8 ? 1 : 8 / chunksPerRow;
	constexpr int turn = chunksPerRow >= 8 ? 7 : chunksPerRow - 1;
	return row * chunksPerRow + (chunk ^ (row / rowsPerLine & turn));
}

/** A tile of an operand in shared memory: `size` rows of the result by `depthStep`, which a block's threads bring in 16 bytes each. */
template <bool byDepth, int size, int depthStep, int threads>
struct Tile {
	static constexpr int halves = size * depthStep;
	static constexpr int chunksPerRow = (byDepth ? size : depthStep) / 8;
	static constexpr int chunksPerThread = halves / 8 / threads;

	/** Where chunk i of this thread lies in the tile. */
	static __device__ __forceinline__ int placeOfChunk(int i) {
		const int at = i * threads + threadIdx.x;
		return 8 * chunkAt<chunksPerRow>(at / chunksPerRow, at % chunksPerRow);
	}

	/** Calls bring(i, row and column in the operand, whether these are there) for each of this thread's chunks. */
	template <class Bring>
	static __device__ __forceinline__ void forChunks(int first, int count, int depthFirst, int depth, Bring bring) {
#pragma unroll
		for (int i = 0; i < chunksPerThread; i++) {
			const int at = i * threads + threadIdx.x;
			const int row = at / chunksPerRow, chunk = at % chunksPerRow;
			const int outer = (byDepth ? depthFirst : first) + row, inner = (byDepth ? first : depthFirst) + 8 * chunk;
			const bool there = outer < (byDepth ? depth : count) && inner < (byDepth ? count : depth);
			bring(i, outer, inner, there);
		}
	}

	/** The fragment of rows [first, first + 16) and 16 of the depth: a left operand, or two right ones of 8 columns. */
	static __device__ __forceinline__ void load(Word (&fragment)[4], const Half* tile, int first, int depthFirst, bool isLeft) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8, row = lane % 8;
		// left: matrices go down the rows first; right: along the depth first
		const int down = 8 * (isLeft ? matrix % 2 : matrix / 2), along = 8 * (isLeft ? matrix / 2 : matrix % 2);
		const int outer = byDepth ? depthFirst + along + row : first + down + row;
		const int inner = byDepth ? first + down : depthFirst + along;
		loadMatrices(fragment, sharedAddress(tile + 8 * chunkAt<chunksPerRow>(outer, inner / 8)), byDepth);
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

/** Where a block's tile of the result begins, and a warp's part of it within that. */
struct Place {
	int firstRow, firstColumn, warpRow, warpColumn;
};

/** How a product is taken apart: results of a block and of a warp, and the part of the depth that lies in shared memory as one stage. */
template <int blockRows, int blockColumns, int warpRows, int warpColumns, int depthStep, bool leftByDepth, bool rightByDepth>
struct Tiling {
	static constexpr int warpsDown = blockRows / warpRows, threads = warpSize32 * warpsDown * (blockColumns / warpColumns);
	using Left = Tile<leftByDepth, blockRows, depthStep, threads>;
	using Right = Tile<rightByDepth, blockColumns, depthStep, threads>;
	static constexpr int step = depthStep, rightAt = Left::halves, stageHalves = Left::halves + Right::halves;

	static __device__ __forceinline__ Place place(int rows, int columns) {
		const TilePlace tile = tilePlace(blockIdx.x, (rows + blockRows - 1) / blockRows, (columns + blockColumns - 1) / blockColumns);
		const int warp = threadIdx.x / warpSize32;
		return {tile.row * blockRows, tile.column * blockColumns, warp % warpsDown * warpRows, warp / warpsDown * warpColumns};
	}
	static __device__ __forceinline__ int steps(int depth) { return (depth + depthStep - 1) / depthStep; }

	/** The sums of a warp; `multiplyFragments` adds products of 16 of the depth. */
	template <void (*multiplyFragments)(float (&)[4], const Word (&)[4], Word, Word)>
	struct Sums {
		static constexpr int rowFragments = warpRows / 16, columnFragments = warpColumns / 8;
		float sums[rowFragments][columnFragments][4] = {};

		/** Adds products of the two tiles of a stage. */
		__device__ __forceinline__ void add(const Half* stage, const Place& place) {
#pragma unroll
			for (int within = 0; within < depthStep; within += 16) {
				Word a[rowFragments][4], b[columnFragments / 2][4];
#pragma unroll
				for (int i = 0; i < rowFragments; i++) Left::load(a[i], stage, place.warpRow + 16 * i, within, true);
#pragma unroll
				for (int j = 0; j < columnFragments / 2; j++) Right::load(b[j], stage + rightAt, place.warpColumn + 16 * j, within, false);
#pragma unroll
				for (int i = 0; i < rowFragments; i++) {
#pragma unroll
					for (int j = 0; j < columnFragments; j++) {
						multiplyFragments(sums[i][j], a[i], b[j / 2][2 * (j % 2)], b[j / 2][2 * (j % 2) + 1]);
					}
				}
			}
		}

		/** Multiplies each column by scaleOf(column). */
		template <class ScaleOf>
		__device__ __forceinline__ void scaleColumns(int columns, const Place& place, ScaleOf scaleOf) {
			const int first = place.firstColumn + place.warpColumn + threadIdx.x % 4 * 2;
#pragma unroll
			for (int j = 0; j < columnFragments; j++) {
#pragma unroll
				for (int side = 0; side < 2; side++) {
					const int column = first + 8 * j + side;
					if (column >= columns) continue;
					const float scale = scaleOf(column);
#pragma unroll
					for (int i = 0; i < rowFragments; i++) {
						sums[i][j][side] *= scale;
						sums[i][j][2 + side] *= scale;
					}
				}
			}
		}

		/** out [rows, columns] = the sums × scaleOf(row). */
		template <class Element, class ScaleOf>
		__device__ __forceinline__ void write(Element* out, int accumulate, int rows, int columns, const Place& place, ScaleOf scaleOf) const {
			const int lane = threadIdx.x % warpSize32;
			const bool inPairs = storesPairs(out, columns);
#pragma unroll
			for (int i = 0; i < rowFragments; i++) {
#pragma unroll
				for (int half = 0; half < 2; half++) {
					const int row = place.firstRow + place.warpRow + 16 * i + 8 * half + lane / 4;
					if (row >= rows) continue;
					Element* const target = out + static_cast<Count>(row) * columns;
					const float scale = scaleOf(row);
#pragma unroll
					for (int j = 0; j < columnFragments; j++) {
						const float* const two = sums[i][j] + 2 * half;
						storeTwo(target, place.firstColumn + place.warpColumn + 8 * j + lane % 4 * 2, columns, scale * two[0], scale * two[1], accumulate, inPairs);
					}
				}
			}
		}
	};
};

/** Defines kernels for y [M, N] = x [M, K] · Wᵀ [N, K] and dx [M, K] = dy [M, N] · W [N, K] in each type of activations. */
#define FOR_WEIGHT_PRODUCTS(DEFINE) \
	DEFINE(, float, NT, false, false) \
	DEFINE(Bf16, Bfloat16, NT, false, false) \
	DEFINE(, float, NN, false, true) \
	DEFINE(Bf16, Bfloat16, NN, false, true)
/** The same and for dW [N, K] = dyᵀ [N, M] · x [M, K], which is float always. */
#define FOR_PRODUCTS(DEFINE) \
	FOR_WEIGHT_PRODUCTS(DEFINE) \
	DEFINE(, float, TN, true, true)
#endif
