// How the variants bring tiles to shared memory: a thread keeps where it copies from and adds to that, in place of working it out for each copy.
#pragma once
#include "../kernels/tensorProduct.cuh"

#ifdef BFLOAT16_TENSOR_CORES
/** What a thread copies of an operand's tiles, one step of the depth after the other: 16 bytes of every so many rows of a tile. */
template <bool byDepth, int size, int depthStep, int threads>
struct Copies {
	static constexpr int chunksPerRow = (byDepth ? size : depthStep) / 8, rows = byDepth ? depthStep : size;
	static_assert(chunksPerRow % 8 == 0 || chunksPerRow == 4, "chunks are turned within a row");
	/** Rows that threads copy at once: whole turns of 8, so that a thread's copies lie equally far apart. */
	static constexpr int rowsAtOnce = threads / chunksPerRow / 8 * 8, count = rows / rowsAtOnce;
	static_assert(count * rowsAtOnce == rows && count <= 32, "all of a tile, and a bit says whether a copy is of rows that are there");

	/** Of the tile of the step that is copied next. */
	const Half* source;
	/** How far the next copy is from one, and the next step's first from the last. */
	Count toNext, toNextStep;
	/** Where the first copy goes in a tile, and where in the depth of a step it begins. */
	int place, depthFirst;
	/** Which copies are of rows of the result that are there. */
	Word present;

	__device__ __forceinline__ void begin(const Operand& operand, int first, int resultRows) {
		const int row = static_cast<int>(threadIdx.x) / chunksPerRow, column = 8 * (static_cast<int>(threadIdx.x) % chunksPerRow);
		source = byDepth ? operand.at(row, first + column) : operand.at(first + row, column);
		toNext = static_cast<Count>(rowsAtOnce) * operand.stride;
		toNextStep = byDepth ? 0 : depthStep - count * toNext;
		place = 16 * chunkAt<chunksPerRow>(row, column / 8);
		depthFirst = byDepth ? row : column;
		present = 0;
#pragma unroll
		for (int i = 0; i < count; i++) {
			const int inResult = byDepth ? column : row + i * rowsAtOnce;
			present |= static_cast<Word>(first + inResult < resultRows) << i;
		}
	}
	/** Zeros where the depth has ended, or the result. */
	__device__ __forceinline__ void next(SharedAddress tile, int depthLeft) {
		if (rowsAtOnce * chunksPerRow != threads && threadIdx.x >= rowsAtOnce * chunksPerRow) return;
#pragma unroll
		for (int i = 0; i < count; i++) {
			const int inDepth = depthFirst + (byDepth ? i * rowsAtOnce : 0);
			copyAsync(tile + place + 16 * i * rowsAtOnce * chunksPerRow, source, inDepth < depthLeft && (present >> i & 1u) != 0);
			source += toNext;
		}
		source += toNextStep;
	}
};
#endif
