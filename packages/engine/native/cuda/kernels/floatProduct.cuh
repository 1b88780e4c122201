// Matrix products in float32, operands anywhere: what `precision: fp32` means, and cards without bfloat16 arithmetic.
#pragma once
#include "element.cuh"

/**
 * out [rows, columns] = scale × Σ_d left(row, d) × right(column, d), sums in ascending d. Strides say how an operand lies, so that one
 * kernel serves both directions and the gradient of a weight. Tiles of 64 × 64, four by four results a thread.
 */
template <class Element>
static __device__ __forceinline__ void multiplyFloats(Element* out, int accumulate, float scale, const float* left, Count leftRow, Count leftDepth, const float* right, Count rightRow, Count rightDepth, int rows, int columns, int depth) {
	constexpr int tile = 64, step = 16, each = 4;
	__shared__ float a[step][tile + 4], b[step][tile + 4];
	const int firstRow = blockIdx.x * tile, firstColumn = blockIdx.y * tile;
	const int down = threadIdx.x / 16, right4 = threadIdx.x % 16;
	float sums[each][each] = {};
	for (int d0 = 0; d0 < depth; d0 += step) {
#pragma unroll
		for (int i = 0; i < tile * step / 256; i++) {
			const int at = i * 256 + threadIdx.x;
			// neighbours along whichever side is contiguous
			const int leftD = leftDepth == 1 ? at % step : at / tile, leftR = leftDepth == 1 ? at / step : at % tile;
			const int rightD = rightDepth == 1 ? at % step : at / tile, rightR = rightDepth == 1 ? at / step : at % tile;
			a[leftD][leftR] = firstRow + leftR < rows && d0 + leftD < depth
								  ? left[(firstRow + leftR) * leftRow + (d0 + leftD) * leftDepth]
								  : 0.0f;
			b[rightD][rightR] = firstColumn + rightR < columns && d0 + rightD < depth
									? right[(firstColumn + rightR) * rightRow + (d0 + rightD) * rightDepth]
									: 0.0f;
		}
		__syncthreads();
#pragma unroll
		for (int d = 0; d < step; d++) {
#pragma unroll
			for (int i = 0; i < each; i++) {
#pragma unroll
				for (int j = 0; j < each; j++) sums[i][j] += a[d][down * each + i] * b[d][right4 * each + j];
			}
		}
		__syncthreads();
	}
#pragma unroll
	for (int i = 0; i < each; i++) {
		const int row = firstRow + down * each + i;
#pragma unroll
		for (int j = 0; j < each; j++) {
			const int column = firstColumn + right4 * each + j;
			if (row < rows && column < columns) {
				store(out + static_cast<Count>(row) * columns + column, scale * sums[i][j], accumulate);
			}
		}
	}
}

#define FLOAT_PRODUCT(suffix, Element) \
	KERNEL __launch_bounds__(256) floatProduct##suffix(Element* out, int accumulate, float scale, const float* left, Count leftRow, Count leftDepth, const float* right, Count rightRow, Count rightDepth, int rows, int columns, int depth) { \
		multiplyFloats(out, accumulate, scale, left, leftRow, leftDepth, right, rightRow, rightDepth, rows, columns, depth); \
	}
FOR_ELEMENTS(FLOAT_PRODUCT)
#undef FLOAT_PRODUCT
