// Products whose result has few rows and whose depth is the tokens: gradients of low-rank adapters. The right operand
// is read where it lies, since so few rows don't pay for a copy of it.
#pragma once
#include "gemm.h"

namespace vulntune::ISA {

// target [rows, N] (+)= scale × leftᵀ · right, left [M, rows], right [M, N], in float32.
inline void thinTN(
	Pool& pool, int64_t M, int64_t rows, int64_t N, const float* left, const float* right, float* target, float scale,
	bool accumulate) {
	const int64_t chunks = divideUp(rows, tileRows);
	const int64_t columnPanels = divideUp(N, tileColumns);
	const auto firstRow = [&](int64_t chunk) { return chunk * rows / chunks; };
	pool.reserve(M * rows * sizeof(float), M * tileColumns * sizeof(float));
	auto* packedLeft = static_cast<float*>(pool.shared());
	const DepthRange all = {0, M, M};
	for (int64_t chunk = 0; chunk < chunks; chunk++) {
		const int64_t row = firstRow(chunk);
		ColumnsOperand{left, rows}.pack<Arithmetic::fp32>(
			row, static_cast<int>(firstRow(chunk + 1) - row), all, packedLeft + row * M);
	}

	pool.run(columnPanels, [&](int64_t panel, int thread) {
		const int64_t column = panel * tileColumns;
		Tile tile;
		tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, N - column));
		tile.b = right + column;
		tile.bStride = N;
		if (tile.columns < tileColumns) {
			auto* whole = static_cast<float*>(pool.local(thread));
			for (int64_t k = 0; k < M; k++) {
				memset(whole + k * tileColumns, 0, tileColumns * sizeof(float));
				memcpy(whole + k * tileColumns, tile.b + k * N, tile.columns * sizeof(float));
			}
			tile.b = whole;
			tile.bStride = tileColumns;
		}
		tile.depth = M;
		tile.cStride = N;
		tile.scale = scale;
		tile.accumulate = accumulate;
		for (int64_t chunk = 0; chunk < chunks; chunk++) {
			const int64_t row = firstRow(chunk);
			tile.a = packedLeft + row * M;
			tile.c = target + row * N + column;
			tileFunctions<Arithmetic::fp32>.forRows[firstRow(chunk + 1) - row](tile);
		}
	});
}

}  // namespace vulntune::ISA
