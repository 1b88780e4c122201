// The products in 8 bits that JavaScript calls.
#pragma once
#include "int8Products.h"

namespace vulntune::ISA {

// y [M, N] = x [M, K] · Wᵀ, W [N, K].
static void int8MatmulNT(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* x, Storage storage, const void* data, const float* scales,
	const float* codebook, float* y, float scale, bool accumulate) {
	const Matrix weight = {storage, data, scales, codebook, K, 0};
	const Int8Part<Int8TransposedMatrix, TransposedMatrix> part = {{weight}, N, y, {}};
	Int8Products(pool, M, K, x, &part, 1, scale, accumulate).run();
}

// dx [M, K] = dy [M, N] · W, W [N, K].
static void int8MatmulNN(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* dy, Storage storage, const void* data, const float* scales,
	const float* codebook, float* dx, float scale, bool accumulate) {
	const Matrix weight = {storage, data, scales, codebook, K, 0};
	const Int8Part<Int8DepthAlongRows, DepthAlongRows<MatrixRows>> part = {{weight}, K, dx, {}};
	Int8Products(pool, M, N, dy, &part, 1, scale, accumulate).run();
}

}  // namespace vulntune::ISA
