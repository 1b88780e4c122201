// The matrix products that JavaScript calls.
#pragma once
#include "gemm.h"

namespace vulntune::ISA {

static void matmulNT(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* x, Storage storage, const void* data, const float* scales,
	const float* codebook, float* y, bool bf16, float scale, bool accumulate) {
	const TransposedMatrix right = {{storage, data, scales, codebook, K, 0}};
	multiplyMatrices(pool, M, N, K, RowsOperand{x, K}, right, y, {bf16, scale, accumulate});
}

static void matmulNN(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* dy, Storage storage, const void* data, const float* scales,
	const float* codebook, float* dx, bool bf16, float scale, bool accumulate) {
	const DepthAlongRows<MatrixRows> right = {{{storage, data, scales, codebook, K, 0}}};
	multiplyMatrices(pool, M, K, N, RowsOperand{dy, N}, right, dx, {bf16, scale, accumulate});
}

static void matmulTN(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* dy, const float* x, float* dWeight, bool bf16, float scale,
	bool accumulate) {
	const DepthAlongRows<MatrixRows> right = {{denseMatrix(x, K)}};
	multiplyMatrices(pool, N, K, M, ColumnsOperand{dy, N}, right, dWeight, {bf16, scale, accumulate});
}

static void dequantize(
	Pool& pool, int64_t N, int64_t K, Storage storage, const void* data, const float* scales, const float* codebook,
	float* target) {
	const Matrix matrix = {storage, data, scales, codebook, K, 0};
	pool.run(N, [&](int64_t row, int) { decodeRow(matrix, row, 0, K, target + row * K); });
}

}  // namespace vulntune::ISA
