// C [M, N] = scale × A [M, K] · B [K, N] (+ C): blocking, threads, and the three products of a linear layer.
//
// The depth is cut into blocks by K alone, and a block's sum is made by one thread in one order. So an element of C
// has the same bits whatever M is, wherever its row lies and however many threads there are.
#pragma once
#include "packing.h"
#include "tiling.h"

namespace vulntune::ISA {

struct GemmOptions {
	bool bf16;
	float scale;
	bool accumulate;
};

// Instructions of packing per vector of B.
constexpr double packInstructions = 5;

template <Arithmetic arithmetic, typename Left, typename Right>
void multiplyRows(
	Pool& pool, int64_t firstRow, int64_t M, int64_t N, int64_t K, const Left& left, const Right& right, float* c,
	int64_t cStride, const GemmOptions& options) {
	const int64_t steps = divideUp(K, elementsPerStep<arithmetic>);
	const int64_t depthBlocks = divideUp(steps, depthBlock);
	const int64_t blockSteps = divideUp(divideUp(steps, depthBlocks), W) * W;
	const auto rangeOf = [&](int64_t block) {
		const int64_t from = block * blockSteps;
		const int64_t count = minimum(blockSteps, steps - from);
		const int64_t fromElement = from * elementsPerStep<arithmetic>;
		return DepthRange{fromElement, minimum(K - fromElement, count * elementsPerStep<arithmetic>), count};
	};

	const int64_t rowPanels = divideUp(M, tileRows);
	const int64_t columnPanels = divideUp(N, tileColumns);
	const auto panelRow = [&](int64_t panel) { return panel * M / rowPanels; };
	const Tiling tiling = chooseTiling(rowPanels, columnPanels, pool.threads(), packInstructions);
	const int64_t widest = divideUp(columnPanels, tiling.columnTiles);

	const int64_t panelSize = tileRows * blockSteps;
	const int64_t panelStride = blockSteps * tileColumns;
	const int64_t stageSize = maximum<int64_t>(W * depthBlock, 2 * widest * tileColumns);
	pool.reserve(
		depthBlocks * rowPanels * panelSize * sizeof(float), (widest * panelStride + stageSize) * sizeof(float));
	auto* packedA = static_cast<float*>(pool.shared());

	pool.run(rowPanels, [&](int64_t panel, int) {
		const int64_t row = panelRow(panel);
		const int rows = static_cast<int>(panelRow(panel + 1) - row);
		for (int64_t block = 0; block < depthBlocks; block++) {
			left.template pack<arithmetic>(
				firstRow + row, rows, rangeOf(block), packedA + (block * rowPanels + panel) * panelSize);
		}
	});

	pool.run(tiling.rowTiles * tiling.columnTiles, [&](int64_t task, int thread) {
		const int64_t rowTile = task / tiling.columnTiles;
		const int64_t columnTile = task % tiling.columnTiles;
		const int64_t firstPanel = rowTile * rowPanels / tiling.rowTiles;
		const int64_t lastPanel = (rowTile + 1) * rowPanels / tiling.rowTiles;
		const int64_t column = columnTile * columnPanels / tiling.columnTiles * tileColumns;
		const int64_t endColumn = minimum(N, (columnTile + 1) * columnPanels / tiling.columnTiles * tileColumns);
		auto* packedB = static_cast<float*>(pool.local(thread));
		float* stage = packedB + widest * panelStride;
		for (int64_t block = 0; block < depthBlocks; block++) {
			const DepthRange range = rangeOf(block);
			right.template pack<arithmetic>(column, endColumn - column, range, packedB, panelStride, stage);
			Tile tile;
			tile.depth = range.steps;
			tile.cStride = cStride;
			tile.scale = options.scale;
			tile.accumulate = options.accumulate || block > 0;
			for (int64_t panel = firstPanel; panel < lastPanel; panel++) {
				const int64_t row = panelRow(panel);
				const TileFunction multiply = tileFunctions<arithmetic>.forRows[panelRow(panel + 1) - row];
				tile.a = packedA + (block * rowPanels + panel) * panelSize;
				tile.b = packedB;
				for (int64_t n = column; n < endColumn; n += tileColumns, tile.b += panelStride) {
					tile.c = c + (firstRow + row) * cStride + n;
					tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, endColumn - n));
					multiply(tile);
				}
			}
		}
	});
}

template <Arithmetic arithmetic, typename Left, typename Right>
void multiplyBlocks(
	Pool& pool, int64_t M, int64_t N, int64_t K, const Left& left, const Right& right, float* c, int64_t cStride,
	const GemmOptions& options) {
	const int64_t depthBlocks = divideUp(divideUp(K, elementsPerStep<arithmetic>), depthBlock);
	const int64_t atOnce = rowsAtOnce(depthBlocks);
	for (int64_t row = 0; row < M; row += atOnce) {
		multiplyRows<arithmetic>(
			pool, row, minimum(atOnce, M - row), N, K, left, right, c, cStride, options);
	}
}

template <typename Left, typename Right>
void multiplyMatrices(
	Pool& pool, int64_t M, int64_t N, int64_t K, const Left& left, const Right& right, float* c, int64_t cStride,
	const GemmOptions& options) {
	if (options.bf16) {
		multiplyBlocks<bf16Arithmetic>(pool, M, N, K, left, right, c, cStride, options);
	} else {
		multiplyBlocks<Arithmetic::fp32>(pool, M, N, K, left, right, c, cStride, options);
	}
}

// y [M, N] = x [M, K] · Wᵀ, W [N, K]. Uses the pool's scratch memory, not its workspace.
inline void gemmNT(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* x, int64_t xStride, const Matrix& weight, float* y,
	int64_t yStride, const GemmOptions& options) {
	multiplyMatrices(pool, M, N, K, RowsOperand{x, xStride}, TransposedMatrix{weight}, y, yStride, options);
}

// dx [M, K] = dy [M, N] · W, W [N, K].
inline void gemmNN(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* dy, int64_t dyStride, const Matrix& weight, float* dx,
	int64_t dxStride, const GemmOptions& options) {
	multiplyMatrices(pool, M, K, N, RowsOperand{dy, dyStride}, DepthAlongRows<MatrixRows>{{weight}}, dx, dxStride, options);
}

// dW [N, K] = dyᵀ [N, M] · x [M, K].
inline void gemmTN(
	Pool& pool, int64_t M, int64_t N, int64_t K, const float* dy, int64_t dyStride, const float* x, int64_t xStride,
	float* dWeight, int64_t dWeightStride, const GemmOptions& options) {
	multiplyMatrices(
		pool, N, K, M, ColumnsOperand{dy, dyStride}, DepthAlongRows<MatrixRows>{{denseMatrix(x, xStride)}}, dWeight, dWeightStride, options);
}

}  // namespace vulntune::ISA
