// Products whose result has few rows and whose depth is the tokens: gradients of low-rank adapters. The right operand
// is read where it lies, since so few rows don't pay for a copy of it.
#pragma once
#include "gemm.h"

namespace vulntune::ISA {

// How the left operand [depth, rows] is packed: some of its columns at a time, no more than the inner loop takes.
struct ThinChunks {
	int64_t rows;
	int64_t count = divideUp(rows, tileRows);

	int64_t first(int64_t chunk) const { return chunk * rows / count; }
	int size(int64_t chunk) const { return static_cast<int>(first(chunk + 1) - first(chunk)); }
};

inline void packThin(const float* left, int64_t depth, int64_t rows, float* packed) {
	const ThinChunks chunks = {rows};
	for (int64_t chunk = 0; chunk < chunks.count; chunk++) {
		ColumnsOperand{left, rows}.pack<Arithmetic::fp32>(
			chunks.first(chunk), chunks.size(chunk), {0, depth, depth}, packed + chunks.first(chunk) * depth);
	}
}

// One panel of columns of the product below; whole: room for [depth, tileColumns].
inline void thinPanel(
	const float* packed, int64_t depth, int64_t rows, const float* right, int64_t N, int64_t panel, float* target,
	float scale, bool accumulate, float* whole) {
	const int64_t column = panel * tileColumns;
	Tile tile;
	tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, N - column));
	tile.b = right + column;
	tile.bStride = N;
	if (tile.columns < tileColumns) {
		for (int64_t k = 0; k < depth; k++) {
			memset(whole + k * tileColumns, 0, tileColumns * sizeof(float));
			memcpy(whole + k * tileColumns, tile.b + k * N, tile.columns * sizeof(float));
		}
		tile.b = whole;
		tile.bStride = tileColumns;
	}
	tile.depth = depth;
	tile.cStride = N;
	tile.scale = scale;
	tile.accumulate = accumulate;
	const ThinChunks chunks = {rows};
	for (int64_t chunk = 0; chunk < chunks.count; chunk++) {
		tile.a = packed + chunks.first(chunk) * depth;
		tile.c = target + chunks.first(chunk) * N + column;
		tileFunctions<Arithmetic::fp32>.forRows[chunks.size(chunk)](tile);
	}
}

// target [rows, N] (+)= scale × leftᵀ · right, left [M, rows], right [M, N], in float32.
inline void thinTN(
	Pool& pool, int64_t M, int64_t rows, int64_t N, const float* left, const float* right, float* target, float scale,
	bool accumulate) {
	pool.reserve(M * rows * sizeof(float), M * tileColumns * sizeof(float));
	auto* packed = static_cast<float*>(pool.shared());
	packThin(left, M, rows, packed);
	pool.run(divideUp(N, tileColumns), [&](int64_t panel, int thread) {
		thinPanel(
			packed, M, rows, right, N, panel, target, scale, accumulate, static_cast<float*>(pool.local(thread)));
	});
}

}  // namespace vulntune::ISA
