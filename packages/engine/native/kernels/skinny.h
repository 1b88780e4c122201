// Products with few columns, Σ_k left[m, k] × right[n, k] for n below some dozens: lanes run along the depth, so that
// no lane is left without work, and are added up at the end.
#pragma once
#include "microkernel.h"
#include "transpose.h"

namespace vulntune::ISA {

constexpr int skinnyRows = 3;
#if defined(SIMD_AVX512) || defined(__aarch64__)
constexpr int skinnyColumns = 8;
#else
constexpr int skinnyColumns = 4;
#endif

// Lane j of the result is the sum of the lanes of v[j].
inline __attribute__((always_inline)) vf sumsOf(vf (&v)[W]) {
	UNROLL for (int count = W / 2; count > 0; count /= 2) {
		UNROLL for (int i = 0; i < count; i++) {
			v[i] = interleaveLow(v[i], v[i + count]) + interleaveHigh(v[i], v[i + count]);
		}
	}
	return v[0];
}

// sums[r · skinnyColumns + c] = Σ left[r, k] × right[c, k] over `steps`, a multiple of W.
template <Arithmetic arithmetic, int rows>
inline void skinnyTile(
	const float* left, int64_t leftStride, const float* right, int64_t rightStride, int64_t steps, float* sums) {
	constexpr int count = rows * skinnyColumns;
	vf partial[count];
	UNROLL for (int i = 0; i < count; i++) partial[i] = zero();
	for (int64_t k = 0; k < steps; k += W) {
		vf x[rows];
		UNROLL for (int r = 0; r < rows; r++) x[r] = load(left + r * leftStride + k);
		UNROLL for (int c = 0; c < skinnyColumns; c++) {
			const vf w = load(right + c * rightStride + k);
			UNROLL for (int r = 0; r < rows; r++) {
				partial[r * skinnyColumns + c] = multiplyAdd<arithmetic>(x[r], w, partial[r * skinnyColumns + c]);
			}
		}
	}
	UNROLL for (int first = 0; first < count; first += W) {
		vf group[W];
		UNROLL for (int i = 0; i < W; i++) group[i] = first + i < count ? partial[first + i] : zero();
		const vf lanes = sumsOf(group);
		storePartial(sums + first, lanes, minimum(W, count - first));
	}
}

// out [rows, columns] = scale × left · rightᵀ; right has a multiple of skinnyColumns rows, zero beyond `columns`.
template <Arithmetic arithmetic>
inline void skinnyProduct(
	int rows, int64_t columns, const float* left, int64_t leftStride, const float* right, int64_t rightStride,
	int64_t steps, float scale, float* out, int64_t outStride) {
	float sums[skinnyRows * skinnyColumns];
	for (int64_t c = 0; c < columns; c += skinnyColumns) {
		const float* some = right + c * rightStride;
		for (int r = 0; r < rows; r += skinnyRows) {
			const int count = minimum(skinnyRows, rows - r);
			const float* from = left + r * leftStride;
			if (count == 3) skinnyTile<arithmetic, 3>(from, leftStride, some, rightStride, steps, sums);
			if (count == 2) skinnyTile<arithmetic, 2>(from, leftStride, some, rightStride, steps, sums);
			if (count == 1) skinnyTile<arithmetic, 1>(from, leftStride, some, rightStride, steps, sums);
			for (int i = 0; i < count; i++) {
				for (int64_t j = 0; j < minimum<int64_t>(skinnyColumns, columns - c); j++) {
					out[(r + i) * outStride + c + j] = scale * sums[i * skinnyColumns + j];
				}
			}
		}
	}
}

}  // namespace vulntune::ISA
