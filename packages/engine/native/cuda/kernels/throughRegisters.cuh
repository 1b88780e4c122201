// Products whose operands come to shared memory through registers: what the next step needs is read while this one is multiplied, and written
// where two stages take turns.
#pragma once
#include "tensorProduct.cuh"

#if defined(BFLOAT16_TENSOR_CORES) || defined(FLOAT16_TENSOR_CORES)
/** A thread's chunks of a tile of an operand in 16 bits. */
template <class OperandTile>
struct Chunks {
	Operand operand;
	uint4 chunks[OperandTile::chunksPerThread];

	__device__ __forceinline__ void read(int first, int count, int depthFirst, int depth) {
		OperandTile::forChunks(first, count, depthFirst, depth, [this](int i, int outer, int inner, bool there) {
			chunks[i] = there ? *reinterpret_cast<const uint4*>(operand.at(outer, inner)) : make_uint4(0, 0, 0, 0);
		});
	}
	__device__ __forceinline__ void write(Half* tile) const {
#pragma unroll
		for (int i = 0; i < OperandTile::chunksPerThread; i++) *reinterpret_cast<uint4*>(tile + OperandTile::placeOfChunk(i)) = chunks[i];
	}
};

/** result += left · right over the whole depth. */
template <class Tiles, class Sums, class Left, class Right>
static __device__ __forceinline__ void addThroughRegisters(Sums& result, Left& left, Right& right, Half* tiles, const Place& place,
														   int rows, int columns, int depth) {
	const int steps = Tiles::steps(depth);
	const auto read = [&](int step) {
		left.read(place.firstRow, rows, step * Tiles::step, depth);
		right.read(place.firstColumn, columns, step * Tiles::step, depth);
	};
	const auto stageOf = [=](int step) { return tiles + step % 2 * Tiles::stageHalves; };
	const auto write = [&](int step) {
		left.write(stageOf(step));
		right.write(stageOf(step) + Tiles::rightAt);
		__syncthreads();
	};

	read(0);
	write(0);
	for (int step = 0; step < steps; step++) {
		const bool more = step + 1 < steps;
		if (more) read(step + 1);
		result.add(stageOf(step), place);
		// the other stage was read in the step before, which all threads have ended
		if (more) write(step + 1);
	}
}
#endif
