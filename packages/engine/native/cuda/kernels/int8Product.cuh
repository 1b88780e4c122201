// Products of operands in 8 bits, quantised in blocks of 64 along the depth, as `Precision` in contract.ts says.
#pragma once
#include "element.cuh"
#include "reduce.cuh"
#include "weights.cuh"

/** codes [rows, 64 × blocks], scales [rows, blocks] of x(row, d); a warp a block. */
KERNEL quantizeInt8(SignedByte* codes, float* scales, const float* x, Count rowStride, Count depthStride, int rows, int depth) {
	const int blocks = (depth + scaleBlock - 1) / scaleBlock;
	const Count block = threadInGrid() / warpSize32;
	if (block >= static_cast<Count>(rows) * blocks) return;
	const int lane = threadIdx.x % warpSize32, d0 = static_cast<int>(block % blocks) * scaleBlock;
	const float* own = x + block / blocks * rowStride;
	float values[2];
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const int d = d0 + lane + warpSize32 * i;
		values[i] = d < depth ? own[d * depthStride] : 0.0f;
	}
	const float absmax = overWarp<largerOrNan>(largerOrNan(fabsf(values[0]), fabsf(values[1])));
	if (lane == 0) scales[block] = absmax / 127.0f;
	// below this the reciprocal of a scale would overflow
	const float inverse = absmax < 1e-36f ? 0.0f : 127.0f / absmax;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const float code = rintf(values[i] * inverse);
		codes[block * scaleBlock + lane + warpSize32 * i] = fabsf(code) <= 127.0f ? static_cast<SignedByte>(code) : 0;
	}
}

/** out [rows, columns] = scale × Σ_blocks the exact sum of the codes' products × both scales. A thread a result, in tiles of 16. */
template <class Element>
static __device__ __forceinline__ void multiplyInt8(Element* out, int accumulate, float scale, const SignedByte* left, const float* leftScales,
													const SignedByte* right, const float* rightScales, int rows, int columns, int blocks) {
	constexpr int tile = 16, words = scaleBlock / 4;
	__shared__ int a[tile][words + 1], b[tile][words + 1];
	const int down = threadIdx.x / tile, across = threadIdx.x % tile;
	const int row = blockIdx.x * tile + down, column = blockIdx.y * tile + across;
	const int fetched = blockIdx.y * tile + down;  // the row of the right operand that this thread fetches
	const int* leftWords = reinterpret_cast<const int*>(left);
	const int* rightWords = reinterpret_cast<const int*>(right);
	float total = 0.0f;
	for (int block = 0; block < blocks; block++) {
		const int word = block * words + across;
		a[down][across] = row < rows ? leftWords[static_cast<Count>(row) * blocks * words + word] : 0;
		b[down][across] = fetched < columns ? rightWords[static_cast<Count>(fetched) * blocks * words + word] : 0;
		__syncthreads();
		int sum = 0;
#pragma unroll
		for (int i = 0; i < words; i++) sum = addProductsOfBytes(a[down][i], b[across][i], sum);
		if (row < rows && column < columns) {
			total += static_cast<float>(sum) * leftScales[static_cast<Count>(row) * blocks + block] *
					 rightScales[static_cast<Count>(column) * blocks + block];
		}
		__syncthreads();
	}
	if (row < rows && column < columns) store(out + static_cast<Count>(row) * columns + column, scale * total, accumulate);
}

#define INT8_PRODUCT(suffix, Element) \
	KERNEL int8Product##suffix(Element* out, int accumulate, float scale, const SignedByte* left, const float* leftScales, const SignedByte* right, const float* rightScales, int rows, int columns, int blocks) { \
		multiplyInt8(out, accumulate, scale, left, leftScales, right, rightScales, rows, columns, blocks); \
	}
FOR_ELEMENTS(INT8_PRODUCT)
#undef INT8_PRODUCT
