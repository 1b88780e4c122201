// The same products in float16, for Turing: operands as matrixToFloat16 makes them, whose powers of two are taken back out of the sums. It
// has no copies to shared memory beside computation.
#pragma once
#include "lineScale.cuh"
#include "throughRegisters.cuh"

#ifdef FLOAT16_TENSOR_CORES
struct ScaledOperand {
	Operand operand;
	/** The largest magnitude of each row of the left operand, of each column of the right one. */
	const float* largest;
};

template <class Tiles, class Element>
static __device__ __forceinline__ void multiplyScaled(Element* out, int accumulate, float scale, const ScaledOperand& left,
													  const ScaledOperand& right, int rows, int columns, int depth) {
	DYNAMIC_SHARED(shared);
	Half* const tiles = reinterpret_cast<Half*>(shared);
	const Place place = Tiles::place(rows, columns);
	typename Tiles::template Sums<multiplyFloat16> result;
	Chunks<typename Tiles::Left> leftChunks{left.operand};
	Chunks<typename Tiles::Right> rightChunks{right.operand};
	addThroughRegisters<Tiles>(result, leftChunks, rightChunks, tiles, place, rows, columns, depth);
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
