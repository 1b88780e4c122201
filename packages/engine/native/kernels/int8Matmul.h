// Products of float32 rows with a frozen matrix, both rounded to 8 bits per block of 64 along the depth.
//
// As in gemm.h, the depth is cut by its length alone and a sum is made by one thread in one order.
#pragma once
#include "../pool.h"
#include "int8Tile.h"
#include "tiling.h"

namespace vulntune::ISA {

// Rounding to 8 bits costs more than copying.
constexpr double int8PackInstructions = 40;

struct Int8Product {
	int64_t M;
	int64_t N;
	int64_t K;
	const float* left;  // [M, K]
	float* c;           // [M, N]
	float scale;
	bool accumulate;
};

// Rows [firstRow, firstRow + M) of the product.
template <typename Right>
void multiplyInt8Rows(Pool& pool, const Int8Product& product, int64_t firstRow, int64_t M, const Right& right) {
	const int64_t N = product.N;
	const int64_t K = product.K;
	const int64_t blocks = divideUp(K, int8Block);
	const int64_t depthBlocks = divideUp(blocks, blocksAtOnce);
	const int64_t blocksEach = divideUp(blocks, depthBlocks);
	const auto rangeOf = [&](int64_t depthBlock) {
		const int64_t from = depthBlock * blocksEach;
		return BlockRange{from * int8Block, minimum(blocksEach, blocks - from), K};
	};

	const int64_t rowPanels = divideUp(M, tileRows);
	const int64_t columnPanels = divideUp(N, tileColumns);
	const auto panelRow = [&](int64_t panel) { return panel * M / rowPanels; };
	const Tiling tiling = chooseTiling(rowPanels, columnPanels, pool.threads(), int8PackInstructions);
	const int64_t widest = divideUp(columnPanels, tiling.columnTiles);

	const int64_t panelSize = tileRows * blocksEach * leftWords;
	const int64_t panelStride = blocksEach * blockWords;
	pool.reserve(depthBlocks * rowPanels * panelSize * sizeof(int32_t), widest * panelStride * sizeof(int32_t));
	auto* packedA = static_cast<int32_t*>(pool.shared());

	pool.run(rowPanels, [&](int64_t panel, int) {
		const int64_t row = panelRow(panel);
		const int rows = static_cast<int>(panelRow(panel + 1) - row);
		for (int64_t block = 0; block < depthBlocks; block++) {
			packLeft(
				product.left + (firstRow + row) * K, K, rows, rangeOf(block),
				packedA + (block * rowPanels + panel) * panelSize);
		}
	});

	pool.run(tiling.rowTiles * tiling.columnTiles, [&](int64_t task, int thread) {
		const int64_t rowTile = task / tiling.columnTiles;
		const int64_t columnTile = task % tiling.columnTiles;
		const int64_t firstPanel = rowTile * rowPanels / tiling.rowTiles;
		const int64_t lastPanel = (rowTile + 1) * rowPanels / tiling.rowTiles;
		const int64_t column = columnTile * columnPanels / tiling.columnTiles * tileColumns;
		const int64_t endColumn = minimum(N, (columnTile + 1) * columnPanels / tiling.columnTiles * tileColumns);
		auto* packedB = static_cast<int32_t*>(pool.local(thread));
		for (int64_t block = 0; block < depthBlocks; block++) {
			const BlockRange range = rangeOf(block);
			right.pack(column, endColumn - column, range, packedB, panelStride);
			Int8Tile tile;
			tile.blocks = range.count;
			tile.cStride = N;
			tile.scale = product.scale;
			tile.accumulate = product.accumulate || block > 0;
			for (int64_t panel = firstPanel; panel < lastPanel; panel++) {
				const int64_t row = panelRow(panel);
				const Int8TileFunction multiply = int8TileFunctions.forRows[panelRow(panel + 1) - row];
				tile.a = packedA + (block * rowPanels + panel) * panelSize;
				tile.b = packedB;
				for (int64_t n = column; n < endColumn; n += tileColumns, tile.b += panelStride) {
					tile.c = product.c + (firstRow + row) * N + n;
					tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, endColumn - n));
					multiply(tile);
				}
			}
		}
	});
}

template <typename Right>
void multiplyInt8(Pool& pool, const Int8Product& product, const Right& right) {
	const int64_t depthBlocks = divideUp(divideUp(product.K, int8Block), blocksAtOnce);
	const int64_t atOnce = rowsAtOnce(depthBlocks);
	for (int64_t row = 0; row < product.M; row += atOnce) {
		multiplyInt8Rows(pool, product, row, minimum(atOnce, product.M - row), right);
	}
}

// y [M, N] = x [M, K] · Wᵀ, W [N, K].
static void int8MatmulNT(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* x, Storage storage, const void* data, const float* scales,
	const float* codebook, float* y, float scale, bool accumulate) {
	const Matrix weight = {storage, data, scales, codebook, K, 0};
	multiplyInt8(pool, {M, N, K, x, y, scale, accumulate}, Int8TransposedMatrix{weight});
}

// dx [M, K] = dy [M, N] · W, W [N, K].
static void int8MatmulNN(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* dy, Storage storage, const void* data, const float* scales,
	const float* codebook, float* dx, float scale, bool accumulate) {
	const Matrix weight = {storage, data, scales, codebook, K, 0};
	multiplyInt8(pool, {M, K, N, dy, dx, scale, accumulate}, Int8DepthAlongRows{weight});
}

}  // namespace vulntune::ISA
