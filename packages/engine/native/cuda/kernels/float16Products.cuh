// The same products in float16, for Turing: operands as matrixToFloat16 makes them, whose powers of two are taken back out of the sums. It
// has no copies to shared memory beside computation, so a thread holds in registers what the next step needs, and two stages are enough.
#pragma once
#include "lineScale.cuh"
#include "tensorProduct.cuh"

#ifdef FLOAT16_TENSOR_CORES
struct ScaledOperand {
	Operand operand;
	/** The largest magnitude of each row of the left operand, of each column of the right one. */
	const float* largest;
};

/** A thread's chunks of a tile on their way to shared memory. */
template <class OperandTile>
struct Chunks {
	uint4 chunks[OperandTile::chunksPerThread];

	__device__ __forceinline__ void read(const Operand& operand, int first, int count, int depthFirst, int depth) {
		OperandTile::forChunks(operand, first, count, depthFirst, depth, [this](int i, const Half* source, bool there) {
			chunks[i] = there ? *reinterpret_cast<const uint4*>(source) : make_uint4(0, 0, 0, 0);
		});
	}
	__device__ __forceinline__ void write(Half* tile) const {
#pragma unroll
		for (int i = 0; i < OperandTile::chunksPerThread; i++) *reinterpret_cast<uint4*>(tile + OperandTile::placeOfChunk(i)) = chunks[i];
	}
};

template <class Tiles, class Element>
static __device__ __forceinline__ void multiplyScaled(Element* out, int accumulate, float scale, const ScaledOperand& left,
													  const ScaledOperand& right, int rows, int columns, int depth) {
	DYNAMIC_SHARED(shared);
	Half* const tiles = reinterpret_cast<Half*>(shared);
	const Place place = Tiles::place(rows, columns);
	const int steps = Tiles::steps(depth);

	Chunks<typename Tiles::Left> leftNext;
	Chunks<typename Tiles::Right> rightNext;
	const auto read = [&](int step) {
		leftNext.read(left.operand, place.firstRow, rows, step * Tiles::step, depth);
		rightNext.read(right.operand, place.firstColumn, columns, step * Tiles::step, depth);
	};
	const auto stageOf = [=](int step) { return tiles + step % 2 * Tiles::stageHalves; };
	const auto write = [&](int step) {
		leftNext.write(stageOf(step));
		rightNext.write(stageOf(step) + Tiles::rightAt);
		__syncthreads();
	};

	typename Tiles::template Sums<multiplyFloat16> result;
	read(0);
	write(0);
	for (int step = 0; step < steps; step++) {
		const bool more = step + 1 < steps;
		if (more) read(step + 1);
		result.add(stageOf(step), place);
		// the other stage was read in the step before, which all threads have ended
		if (more) write(step + 1);
	}
	result.scaleColumns(columns, place, [&right](int column) { return lineScale(right.largest[column]); });
	result.write(out, accumulate, rows, columns, place, [&left, scale](int row) { return scale * lineScale(left.largest[row]); });
}

#define FLOAT16_PRODUCT(blockRows, blockColumns, warpRows, warpColumns, leftByDepth, rightByDepth)         \
	multiplyScaled<Tiling<blockRows, blockColumns, warpRows, warpColumns, 32, leftByDepth, rightByDepth>>( \
		out, accumulate, scale, {{left, leftStride}, leftLargest}, {{right, rightStride}, rightLargest}, rows, columns, depth)
#define FLOAT16_KERNELS(suffix, Element, direction, leftByDepth, rightByDepth) \
	KERNEL __launch_bounds__(128, 2) float16Product##direction##Large##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const float* leftLargest, const Half* right, int rightStride, const float* rightLargest, int rows, int columns, int depth) { \
		FLOAT16_PRODUCT(128, 128, 64, 64, leftByDepth, rightByDepth); \
	} \
	KERNEL __launch_bounds__(128) float16Product##direction##Small##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const float* leftLargest, const Half* right, int rightStride, const float* rightLargest, int rows, int columns, int depth) { \
		FLOAT16_PRODUCT(64, 64, 32, 32, leftByDepth, rightByDepth); \
	}
FOR_PRODUCTS(FLOAT16_KERNELS)
#undef FLOAT16_KERNELS
#undef FLOAT16_PRODUCT
#endif
