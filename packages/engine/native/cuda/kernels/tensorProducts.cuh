// The products of a linear layer in bfloat16, in large tiles and, where those would leave the card idle, in small ones. Their sizes stand once
// more in `tensorTiles` of the backend's products.ts.
#pragma once
#include "tensorProduct.cuh"

#ifdef BFLOAT16_TENSOR_CORES
template <class Tiles, int stages, class Element>
static __device__ __forceinline__ void multiply(Element* out, int accumulate, float scale, const Operand& left, const Operand& right,
												int rows, int columns, int depth) {
	DYNAMIC_SHARED(shared);
	Half* const tiles = reinterpret_cast<Half*>(shared);
	const Place place = Tiles::place(rows, columns);
	const int steps = Tiles::steps(depth);

	const auto fetch = [&](int step) {
		if (step < steps) {
			Half* const stage = tiles + step % stages * Tiles::stageHalves;
			Tiles::Left::forChunks(place.firstRow, rows, step * Tiles::step, depth, [=](int i, int outer, int inner, bool there) {
				copyAsync(sharedAddress(stage + Tiles::Left::placeOfChunk(i)), there ? left.at(outer, inner) : left.data, there);
			});
			Tiles::Right::forChunks(place.firstColumn, columns, step * Tiles::step, depth, [=](int i, int outer, int inner, bool there) {
				copyAsync(sharedAddress(stage + Tiles::rightAt + Tiles::Right::placeOfChunk(i)), there ? right.at(outer, inner) : right.data, there);
			});
		}
		commitCopies();  // an empty group too, so that the count of groups says which step has arrived
	};

	typename Tiles::template Sums<multiplyBfloat16> result;
#pragma unroll
	for (int step = 0; step < stages - 1; step++) fetch(step);
	for (int step = 0; step < steps; step++) {
		waitForCopies<stages - 2>();
		__syncthreads();
		fetch(step + stages - 1);
		result.add(tiles + step % stages * Tiles::stageHalves, place);
	}
	waitForCopies<0>();
	result.write(out, accumulate, rows, columns, place, [scale](int) { return scale; });
}

#define PRODUCT_BODY(blockRows, blockColumns, warpRows, warpColumns, depthStep, stages, leftByDepth, rightByDepth)   \
	multiply<Tiling<blockRows, blockColumns, warpRows, warpColumns, depthStep, leftByDepth, rightByDepth>, stages>( \
		out, accumulate, scale, {left, leftStride}, {right, rightStride}, rows, columns, depth)
#define PRODUCT_KERNELS(suffix, Element, direction, leftByDepth, rightByDepth) \
	KERNEL __launch_bounds__(128, 2) product##direction##Large##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) { \
		PRODUCT_BODY(128, 128, 64, 64, 32, 4, leftByDepth, rightByDepth); \
	} \
	KERNEL __launch_bounds__(128) product##direction##Small##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) { \
		PRODUCT_BODY(64, 64, 32, 32, 64, 3, leftByDepth, rightByDepth); \
	}
FOR_PRODUCTS(PRODUCT_KERNELS)
#undef PRODUCT_KERNELS
#undef PRODUCT_BODY
#endif
