// Products of float32 rows with several frozen matrices, all rounded to 8 bits per block of 64 along the depth. Rows are
// rounded and packed once for all matrices, and low-rank products, which stay floats, are made of them while they are
// in the cache and added to a tile's sums.
//
// As in gemm.h, the depth is cut by its length alone and a sum is made by one thread in one order.
#pragma once
#include "../pool.h"
#include "dropout.h"
#include "int8Tile.h"
#include "skinny.h"
#include "thinProduct.h"

namespace vulntune::ISA {

// Rounding to 8 bits costs more than copying.
constexpr double int8PackInstructions = 40;

// Panels of rows that are packed by one task, and summed up as a slice.
constexpr int64_t panelsPerSlice = 4;

inline int64_t int8DepthBlocks(int64_t K) { return divideUp(divideUp(K, int8Block), blocksAtOnce); }

inline int64_t slicesOfRows(int64_t rows) { return divideUp(divideUp(rows, tileRows), panelsPerSlice); }

inline int64_t sliceCount(int64_t M, int64_t K) {
	const int64_t atOnce = rowsAtOnce(int8DepthBlocks(K) * depthBlock);
	return M / atOnce * slicesOfRows(atOnce) + slicesOfRows(M % atOnce);
}

// The most matrices that one left operand is multiplied with in one go.
constexpr int mostInt8Parts = 4;

// narrow [M, rank] = narrowScale × dropout(left) · inner, and narrowScale × … × outer is added to a part's sums:
// c += tailScale × narrow · outer. All of it in floats; nothing where the rank is 0.
template <typename Outer>
struct LowRankTail {
	int64_t rank;
	const float* inner;  // [rank, K] or its transpose
	int64_t rankStride;
	int64_t depthStride;
	const DropoutMask* mask;  // of the left operand; may be null
	float* narrow;
	float narrowScale;
	Outer outer;  // [rank, columns]
	float tailScale;
	// Where not null, the sums of againstᵀ · left over some rows each are left here, since these are in the cache.
	float* slices;  // [sliceCount(M, K), rank, K]
	const float* against;  // [M, rank]
};

// c [M, columns] = scale × left · right (+ c).
template <typename Right, typename Outer>
struct Int8Part {
	Right right;  // [K, columns]
	int64_t columns;
	float* c;
	LowRankTail<Outer> tail;
};

// Panels of columns are numbered through all parts.
template <typename Right, typename Outer>
class Int8Products {
public:
	Int8Products(
		Pool& pool, int64_t M, int64_t K, const float* left, const Int8Part<Right, Outer>* parts, int count, float scale,
		bool accumulate)
		: pool(pool), M(M), K(K), left(left), parts(parts), count(count), scale(scale), accumulate(accumulate),
		  blocks(divideUp(K, int8Block)), depthBlocks(int8DepthBlocks(K)),
		  blocksEach(divideUp(blocks, depthBlocks)), innerSteps(divideUp(divideUp(K, perStep), W) * W) {
		firstPanel[0] = firstInner[0] = 0;
		for (int i = 0; i < count; i++) {
			const int64_t rank = parts[i].tail.rank;
			firstPanel[i + 1] = firstPanel[i] + divideUp(parts[i].columns, tileColumns);
			firstInner[i + 1] = firstInner[i] + divideUp(rank, skinnyColumns) * skinnyColumns;
			longestRank = maximum(longestRank, rank);
		}
	}

	void run() const {
		const int64_t atOnce = rowsAtOnce(depthBlocks * depthBlock);
		for (int64_t row = 0; row < M; row += atOnce) {
			runRows(row, minimum(atOnce, M - row), row / atOnce * slicesOfRows(atOnce));
		}
	}

private:
	static constexpr Arithmetic tailArithmetic = bf16Arithmetic;
	static constexpr int perStep = elementsPerStep<tailArithmetic>;

	Pool& pool;
	int64_t M;
	int64_t K;
	const float* left;
	const Int8Part<Right, Outer>* parts;
	int count;
	float scale;
	bool accumulate;

	int64_t blocks;
	int64_t depthBlocks;
	int64_t blocksEach;
	int64_t innerSteps;  // of a packed row of an inner matrix
	int64_t firstPanel[mostInt8Parts + 1];
	int64_t firstInner[mostInt8Parts + 1];
	int64_t longestRank = 0;

	static int64_t stepsOfRank(int64_t rank) { return divideUp(rank, perStep); }
	int64_t panelSize() const { return tileRows * blocksEach * leftWords; }
	int64_t panelStride() const { return blocksEach * blockWords; }
	int64_t tailSize() const { return tileRows * stepsOfRank(longestRank); }
	int64_t tailStride() const { return divideUp(stepsOfRank(longestRank), W) * W * tileColumns; }

	BlockRange rangeOf(int64_t depthBlock) const {
		const int64_t from = depthBlock * blocksEach;
		return BlockRange{from * int8Block, minimum(blocksEach, blocks - from), K};
	}

	// Some rows, and where what is made of them lies in the pool's memory.
	struct Rows {
		int64_t first;
		int64_t count;
		int64_t panels;
		int64_t widest;  // panels of columns of a task
		int32_t* packedLeft;
		float* tails;
		float* packedInner;

		int64_t rowOf(int64_t panel) const { return first + panel * count / panels; }
		int heightOf(int64_t panel) const { return static_cast<int>(rowOf(panel + 1) - rowOf(panel)); }
	};

	void runRows(int64_t first, int64_t rowCount, int64_t firstSlice) const {
		Rows rows = {first, rowCount, divideUp(rowCount, tileRows), 0, nullptr, nullptr, nullptr};
		const Tiling tiling = chooseTiling(
			rows.panels, firstPanel[count], mostPanels(panelStride() * sizeof(int32_t)), pool.threads(),
			int8PackInstructions);
		rows.widest = divideUp(firstPanel[count], tiling.columnTiles);
		const int64_t leftSize = divideUp(depthBlocks * rows.panels * panelSize(), W) * W;
		const int64_t tailsSize = divideUp(rows.panels * count * tailSize(), W) * W;
		// a row, packed rows and those of a narrow product, or what a slice is multiplied with
		const int64_t rowsSize = maximum(
			K + tileRows * (innerSteps + longestRank), panelsPerSlice * tileRows * (longestRank + tileColumns));
		const int64_t stageSize = maximum<int64_t>(W * depthBlock, 2 * rows.widest * tileColumns);
		pool.reserve(
			(leftSize + tailsSize + firstInner[count] * innerSteps) * sizeof(float),
			maximum(rowsSize, rows.widest * (panelStride() + tailStride()) + stageSize) * sizeof(float));
		rows.packedLeft = static_cast<int32_t*>(pool.shared());
		rows.tails = reinterpret_cast<float*>(rows.packedLeft + leftSize);
		rows.packedInner = rows.tails + tailsSize;

		pool.run(firstInner[count], [&](int64_t row, int thread) {
			packInner(row, rows.packedInner + row * innerSteps, static_cast<float*>(pool.local(thread)));
		});
		const int64_t slices = slicesOfRows(rowCount);
		pool.run(slices, [&](int64_t slice, int thread) {
			auto* stage = static_cast<float*>(pool.local(thread));
			const int64_t from = slice * rows.panels / slices;
			const int64_t to = (slice + 1) * rows.panels / slices;
			for (int64_t panel = from; panel < to; panel++) {
				for (int64_t block = 0; block < depthBlocks; block++) {
					packLeft(
						left + rows.rowOf(panel) * K, K, rows.heightOf(panel), rangeOf(block),
						rows.packedLeft + (block * rows.panels + panel) * panelSize());
				}
				makeTails(rows, panel, stage);
			}
			sumSlice(rows.rowOf(from), rows.rowOf(to), firstSlice + slice, stage);
		});
		pool.run(tiling.rowTiles * tiling.columnTiles, [&](int64_t task, int thread) {
			const int64_t rowTile = task / tiling.columnTiles;
			const int64_t columnTile = task % tiling.columnTiles;
			multiply(
				rows, rowTile * rows.panels / tiling.rowTiles, (rowTile + 1) * rows.panels / tiling.rowTiles,
				columnTile * firstPanel[count] / tiling.columnTiles,
				(columnTile + 1) * firstPanel[count] / tiling.columnTiles, static_cast<int32_t*>(pool.local(thread)));
		});
	}

	// Row `row` of the inner matrices of all parts; zeros where a rank was rounded up.
	void packInner(int64_t row, float* packed, float* values) const {
		int part = 0;
		while (row >= firstInner[part + 1]) part++;
		const LowRankTail<Outer>& tail = parts[part].tail;
		const int64_t r = row - firstInner[part];
		for (int64_t k = 0; k < K; k++) {
			values[k] = r < tail.rank ? tail.inner[r * tail.rankStride + k * tail.depthStride] : 0.0f;
		}
		packRow<tailArithmetic>(values, {0, K, innerSteps}, packed);
	}

	// The narrow products of a panel of rows, also packed for the inner loop.
	void makeTails(const Rows& rows, int64_t panel, float* stage) const {
		const int64_t row = rows.rowOf(panel);
		const int height = rows.heightOf(panel);
		// Rows that are what the product takes are read where they lie.
		const bool readable = tailArithmetic == Arithmetic::fp32 && innerSteps == K;
		float* packedRows = stage + K;
		const DropoutMask* packedFor = nullptr;
		bool packed = false;
		for (int i = 0; i < count; i++) {
			const LowRankTail<Outer>& tail = parts[i].tail;
			if (tail.rank == 0) continue;
			const bool direct = readable && tail.mask == nullptr;
			if (!direct && !(packed && packedFor == tail.mask)) {
				for (int r = 0; r < height; r++) {
					const float* values = left + (row + r) * K;
					if (tail.mask != nullptr) {
						dropoutRun(stage, values, (row + r) * K, K, *tail.mask);
						values = stage;
					}
					packRow<tailArithmetic>(values, {0, K, innerSteps}, packedRows + r * innerSteps);
				}
				packed = true;
				packedFor = tail.mask;
			}
			skinnyProduct<tailArithmetic>(
				height, tail.rank, direct ? left + row * K : packedRows, innerSteps,
				rows.packedInner + firstInner[i] * innerSteps, innerSteps, innerSteps, tail.narrowScale,
				tail.narrow + row * tail.rank, tail.rank);
			float* scaled = packedRows + tileRows * innerSteps;
			for (int64_t j = 0; j < height * tail.rank; j++) scaled[j] = tail.tailScale * tail.narrow[row * tail.rank + j];
			RowsOperand{scaled, tail.rank}.template pack<tailArithmetic>(
				0, height, {0, tail.rank, stepsOfRank(tail.rank)}, tailOf(rows, panel, i));
		}
	}

	// Rows [from, to) of the sums over the tokens.
	void sumSlice(int64_t from, int64_t to, int64_t slice, float* stage) const {
		for (int i = 0; i < count; i++) {
			const LowRankTail<Outer>& tail = parts[i].tail;
			if (tail.slices == nullptr) continue;
			const int64_t depth = to - from;
			packThin(tail.against + from * tail.rank, depth, tail.rank, stage);
			float* whole = stage + depth * tail.rank;
			for (int64_t panel = 0; panel < divideUp(K, tileColumns); panel++) {
				thinPanel(
					stage, depth, tail.rank, left + from * K, K, panel, tail.slices + slice * tail.rank * K, 1.0f, false,
					whole);
			}
		}
	}

	float* tailOf(const Rows& rows, int64_t panel, int part) const {
		return rows.tails + (panel * count + part) * tailSize();
	}

	// Panels of rows [fromRow, toRow) times panels of columns [from, to).
	void multiply(
		const Rows& rows, int64_t fromRow, int64_t toRow, int64_t from, int64_t to, int32_t* packedRight) const {
		auto* packedOuter = reinterpret_cast<float*>(packedRight + rows.widest * panelStride());
		float* stage = packedOuter + rows.widest * tailStride();
		for (int64_t block = 0; block < depthBlocks; block++) {
			const BlockRange range = rangeOf(block);
			for (int i = 0; i < count; i++) {
				const Int8Part<Right, Outer>& part = parts[i];
				const int64_t begin = maximum(from, firstPanel[i]);
				const int64_t end = minimum(to, firstPanel[i + 1]);
				if (begin >= end) continue;
				const int64_t column = (begin - firstPanel[i]) * tileColumns;
				const int64_t endColumn = minimum(part.columns, (end - firstPanel[i]) * tileColumns);
				part.right.pack(column, endColumn - column, range, packedRight, panelStride());
				Int8Tile tile;
				tile.blocks = range.count;
				tile.cStride = part.columns;
				tile.scale = scale;
				tile.accumulate = accumulate || block > 0;
				tile.tailDepth = block + 1 == depthBlocks ? stepsOfRank(part.tail.rank) : 0;
				if (tile.tailDepth > 0) {
					part.tail.outer.template pack<tailArithmetic>(
						column, endColumn - column, {0, part.tail.rank, tile.tailDepth}, packedOuter, tailStride(), stage);
				}
				for (int64_t panel = fromRow; panel < toRow; panel++) {
					const Int8TileFunction multiplyPanel = int8TileFunctions.forRows[rows.heightOf(panel)];
					tile.a = rows.packedLeft + (block * rows.panels + panel) * panelSize();
					tile.b = packedRight;
					tile.tailA = tailOf(rows, panel, i);
					tile.tailB = packedOuter;
					for (int64_t n = column; n < endColumn; n += tileColumns) {
						tile.c = part.c + rows.rowOf(panel) * part.columns + n;
						tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, endColumn - n));
						multiplyPanel(tile);
						tile.b += panelStride();
						tile.tailB += tailStride();
					}
				}
			}
		}
	}
};

}  // namespace vulntune::ISA
