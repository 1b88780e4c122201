// How the variants read fragments and multiply: an address a thread works out once, and two orders of loads and products.
#pragma once
#include "../kernels/tensorProduct.cuh"

#ifdef BFLOAT16_TENSOR_CORES
/** Where a thread reads so many fragments of 16 rows by 16 of the depth: a left operand's, or each two right ones of 8 columns. */
template <bool byDepth, int size, int depthStep, int fragments>
struct Reader {
	static constexpr int chunksPerRow = (byDepth ? size : depthStep) / 8;
	// the turn of a row comes again after 16 of them; where the depth goes down, what is turned is which fragment
	SharedAddress places[byDepth ? fragments : 1];

	__device__ __forceinline__ Reader(int first, bool isLeft) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8, row = lane % 8;
		// left: matrices go down the rows first; right: along the depth first
		const int down = 8 * (isLeft ? matrix % 2 : matrix / 2), along = 8 * (isLeft ? matrix / 2 : matrix % 2);
#pragma unroll
		for (int i = 0; i < (byDepth ? fragments : 1); i++) {
			const int outer = byDepth ? along + row : first + down + row;
			const int inner = byDepth ? first + down + 16 * i : along;
			places[i] = 16 * chunkAt<chunksPerRow>(outer, inner / 8);
		}
	}
	/** Fragment i from `within` the step's depth. */
	__device__ __forceinline__ void load(Word (&fragment)[4], SharedAddress tile, int i, int within) const {
		loadMatrices(fragment, byDepth ? places[i] + tile + 2 * within * size : (places[0] ^ 2 * within) + tile + 32 * i * depthStep, byDepth);
	}
};

/** A warp's sums, which are the tiling's own, and how it adds to them. */
template <class Tiles, class Left, class Right>
struct WarpSums : Tiles::template Sums<multiplyBfloat16> {
	using Own = typename Tiles::template Sums<multiplyBfloat16>;
	static constexpr int rowFragments = Own::rowFragments, columnFragments = Own::columnFragments;
	Left left;
	Right right;

	__device__ __forceinline__ WarpSums(const Place& place) : left(place.warpRow, true), right(place.warpColumn, false) {}

	/** Both operands in 16 of the depth. */
	struct Fragments {
		Word a[rowFragments][4], b[columnFragments / 2][4];
	};
	__device__ __forceinline__ void load(Fragments& fragments, SharedAddress stage, int within) const {
#pragma unroll
		for (int i = 0; i < rowFragments; i++) left.load(fragments.a[i], stage, i, within);
#pragma unroll
		for (int j = 0; j < columnFragments / 2; j++) right.load(fragments.b[j], stage + 2 * Tiles::rightAt, j, within);
	}
	__device__ __forceinline__ void multiply(const Fragments& fragments) {
#pragma unroll
		for (int i = 0; i < rowFragments; i++) {
#pragma unroll
			for (int k = 0; k < columnFragments; k++) multiplyAt(i, columnOf(i, k), fragments.a[i], fragments.b);
		}
	}

	/** What is in use while loads roll: two fragments of the left operand, which take turns, and all of the right one. */
	Word a[2][4], b[columnFragments / 2][4];

	__device__ __forceinline__ void begin(SharedAddress stage) {
		left.load(a[0], stage, 0, 0);
#pragma unroll
		for (int j = 0; j < columnFragments / 2; j++) right.load(b[j], stage + 2 * Tiles::rightAt, j, 0);
	}
	/** Adds products of part `part` of a step; what is needed next is loaded where something was used for the last time. `arrive` gives the stage of that. */
	template <class Arrive>
	__device__ __forceinline__ void roll(int part, SharedAddress stage, Arrive arrive) {
		const int within = 16 * part, next = (within + 16) % Tiles::step;
		SharedAddress nextStage = stage;
#pragma unroll
		for (int i = 0; i < rowFragments; i++) {
			const bool isLast = i + 1 == rowFragments;
			if (isLast) nextStage = arrive();
			left.load(a[(i + 1) % 2], nextStage, isLast ? 0 : i + 1, isLast ? next : within);
#pragma unroll
			for (int k = 0; k < columnFragments; k++) {
				const int j = columnOf(i + part, k);
				multiplyAt(i, j, a[i % 2], b);
				if (isLast && k % 2 == 1) right.load(b[j / 2], nextStage + 2 * Tiles::rightAt, j / 2, next);
			}
		}
	}

private:
	/** There and back, so that what was loaded first is used first. */
	static __device__ __forceinline__ int columnOf(int row, int k) { return row % 2 == 0 ? k : columnFragments - 1 - k; }
	__device__ __forceinline__ void multiplyAt(int i, int j, const Word (&left)[4], const Word (&right)[columnFragments / 2][4]) {
		multiplyBfloat16(this->sums[i][j], left, right[j / 2][2 * (j % 2)], right[j / 2][2 * (j % 2) + 1]);
	}
};
#endif
