// C [M, N] = scale × A [M, K] · B [K, N] (+ C): blocking and threads, for several B at once and with low-rank additions.
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

// The most matrices that one left operand is multiplied with in one go.
constexpr int mostParts = 4;

// What is multiplied with the left operand: c [M, columns] = scale × (left · right + tailScale × narrow · outer) (+ c),
// narrow [M, rank]; without the second product where the rank is 0.
template <typename Right>
struct RightPart {
	Right right;  // [K, columns]
	int64_t columns;
	float* c;  // rows follow each other
	int64_t rank;
	Right outer;  // [rank, columns]
	float* narrow;
	float tailScale;
};

// How the narrow matrices of all parts come about: narrow = scale × left · inner, inner [K, rank of all parts], or
// they are there already.
template <typename Right>
struct NarrowProduct {
	bool given;
	Right inner;
	float scale;
};

// The longest rank of a part: its steps are packed like a block of the depth.
constexpr int64_t mostRank = depthBlock;

// Products of one left operand with several matrices. Panels of columns are numbered through all parts.
template <Arithmetic arithmetic, typename Left, typename Right>
struct Products {
	Pool& pool;
	int64_t M;
	int64_t K;
	Left left;
	const RightPart<Right>* parts;
	int count;
	NarrowProduct<Right> narrow;
	float scale;
	bool accumulate;

	int64_t steps;
	int64_t depthBlocks;
	int64_t blockSteps;
	int64_t firstPanel[mostParts + 1];
	int64_t firstRank[mostParts + 1];
	int64_t mostTailSteps = 0;
	int64_t innerPanels = 0;

	Products(
		Pool& pool, int64_t M, int64_t K, const Left& left, const RightPart<Right>* parts, int count,
		const NarrowProduct<Right>& narrow, float scale, bool accumulate)
		: pool(pool), M(M), K(K), left(left), parts(parts), count(count), narrow(narrow), scale(scale),
		  accumulate(accumulate), steps(stepsFor<arithmetic>(K)), depthBlocks(divideUp(steps, mostSteps)),
		  blockSteps(divideUp(divideUp(steps, depthBlocks), W) * W) {
		firstPanel[0] = firstRank[0] = 0;
		for (int i = 0; i < count; i++) {
			firstPanel[i + 1] = firstPanel[i] + divideUp(parts[i].columns, tileColumns);
			firstRank[i + 1] = firstRank[i] + parts[i].rank;
			mostTailSteps = maximum(mostTailSteps, stepsFor<arithmetic>(parts[i].rank));
		}
		if (!narrow.given) innerPanels = divideUp(ranks(), tileColumns);
	}

	void run() {
		const int64_t atOnce = rowsAtOnce(depthBlocks * mostSteps, mostRows);
		for (int64_t row = 0; row < M; row += atOnce) runRows(row, minimum(atOnce, M - row));
	}

private:
	static constexpr int mostRows = rowsOfTile<arithmetic>;
	static constexpr int mostSteps = depthOfBlock<arithmetic>;

	int64_t ranks() const { return firstRank[count]; }
	int64_t panelStride() const { return blockSteps * tileColumns; }
	int64_t tailStride() const { return divideUp(mostTailSteps, W) * W * tileColumns; }

	DepthRange rangeOf(int64_t block) const {
		const int64_t from = block * blockSteps;
		const int64_t some = minimum(blockSteps, steps - from);
		const int64_t fromElement = from * elementsPerStep<arithmetic>;
		return {fromElement, minimum(K - fromElement, some * elementsPerStep<arithmetic>), some};
	}

	// Where everything lies in the pool's memory, in floats.
	struct Layout {
		int64_t rowPanels;
		int64_t widest;     // panels of columns of a task
		int64_t panelSize;  // a panel of A in one block
		int64_t tailSize;   // of a panel of A, all parts
		float* packedA;
		float* tails;
		float* packedInner;
	};

	void runRows(int64_t firstRow, int64_t rows) const {
		const int64_t rowPanels = divideUp(rows, mostRows);
		const Tiling tiling = chooseTiling(
			rowPanels, firstPanel[count], mostPanels(mostSteps * tileColumns * sizeof(float)), pool.threads(),
			packInstructions, tileCost<arithmetic>);
		Layout at;
		at.rowPanels = rowPanels;
		at.widest = divideUp(firstPanel[count], tiling.columnTiles);
		at.panelSize = mostRows * blockSteps;
		at.tailSize = mostRows * count * mostTailSteps;
		const int64_t aSize = depthBlocks * rowPanels * at.panelSize;
		const int64_t innerSize = depthBlocks * innerPanels * panelStride();
		const int64_t stageSize = maximum<int64_t>(W * depthBlock, 2 * at.widest * tileColumns);
		const int64_t narrowSize = mostRows * maximum(ranks(), innerPanels * tileColumns);
		pool.reserve(
			(aSize + rowPanels * at.tailSize + innerSize) * sizeof(float),
			(at.widest * (panelStride() + tailStride()) + maximum(stageSize, narrowSize)) * sizeof(float));
		at.packedA = static_cast<float*>(pool.shared());
		at.tails = at.packedA + aSize;
		at.packedInner = at.tails + rowPanels * at.tailSize;

		pool.run(depthBlocks * innerPanels, [&](int64_t task, int thread) {
			const int64_t column = task % innerPanels * tileColumns;
			narrow.inner.template pack<arithmetic>(
				column, minimum<int64_t>(tileColumns, ranks() - column), rangeOf(task / innerPanels),
				at.packedInner + task * panelStride(), panelStride(), static_cast<float*>(pool.local(thread)));
		});
		const auto panelRow = [&](int64_t panel) { return firstRow + panel * rows / rowPanels; };
		pool.run(rowPanels, [&](int64_t panel, int thread) {
			packLeft(at, panel, panelRow(panel), static_cast<int>(panelRow(panel + 1) - panelRow(panel)), thread);
		});
		const int64_t tasks = tiling.rowTiles * tiling.columnTiles;
		const auto columnsOf = [&](int64_t task) {
			if (task >= tasks) return PanelRange{0, 0};
			const int64_t columnTile = task % tiling.columnTiles;
			return PanelRange{
				columnTile * firstPanel[count] / tiling.columnTiles, (columnTile + 1) * firstPanel[count] / tiling.columnTiles};
		};
		pool.run(tasks, [&](int64_t task, int thread) {
			const int64_t rowTile = task / tiling.columnTiles;
			const PanelRange rowsOfTask = {
				rowTile * rowPanels / tiling.rowTiles, (rowTile + 1) * rowPanels / tiling.rowTiles};
			// Which task this thread takes next is a guess: the other threads take those in between.
			multiply(at, panelRow, rowsOfTask, columnsOf(task), columnsOf(task + pool.threads()), thread);
		});
	}

	// Panels [from, to).
	struct PanelRange {
		int64_t from;
		int64_t to;
	};

	// Columns of one part in one block of the depth, which are packed at once; none if they are 0.
	struct Piece {
		int64_t index = 0;  // count × block + part
		int64_t column = 0;
		int64_t columns = 0;
		DepthRange range = {};
	};

	// The first piece from an index on that has some of the panels of columns.
	Piece pieceFrom(int64_t index, const PanelRange& panels) const {
		for (; index < depthBlocks * count; index++) {
			const int64_t part = index % count;
			const int64_t begin = maximum(panels.from, firstPanel[part]);
			const int64_t end = minimum(panels.to, firstPanel[part + 1]);
			if (begin >= end) continue;
			const int64_t column = (begin - firstPanel[part]) * tileColumns;
			const int64_t endColumn = minimum(parts[part].columns, (end - firstPanel[part]) * tileColumns);
			return {index, column, endColumn - column, rangeOf(index / count)};
		}
		return {};
	}

	// A panel of the left operand in all blocks of the depth, and of the narrow matrices made from it.
	void packLeft(const Layout& at, int64_t panel, int64_t row, int rows, int thread) const {
		TileMultiplier<arithmetic> tiles;
		auto* narrowRows = static_cast<float*>(pool.local(thread));
		const int64_t width = innerPanels > 0 ? innerPanels * tileColumns : ranks();
		for (int64_t block = 0; block < depthBlocks; block++) {
			const DepthRange range = rangeOf(block);
			float* packed = at.packedA + (block * at.rowPanels + panel) * at.panelSize;
			left.template pack<arithmetic>(row, rows, range, packed);
			for (int64_t inner = 0; inner < innerPanels; inner++) {
				Tile tile;
				tile.a = packed;
				tile.b = at.packedInner + (block * innerPanels + inner) * panelStride();
				tile.depth = range.steps;
				tile.c = narrowRows + inner * tileColumns;
				tile.cStride = width;
				tile.columns = tileColumns;
				tile.scale = narrow.scale;
				tile.accumulate = block > 0;
				tiles.multiply(tile, rows, ranks() - inner * tileColumns <= W);
			}
		}
		tiles.finish();
		for (int i = 0; i < count; i++) {
			const RightPart<Right>& part = parts[i];
			if (part.rank == 0) continue;
			float* own = part.narrow + row * part.rank;
			for (int r = 0; r < rows; r++) {
				float* scaled = narrowRows + r * width + firstRank[i];
				for (int64_t j = 0; j < part.rank; j++) {
					if (!narrow.given) own[r * part.rank + j] = scaled[j];
					scaled[j] = part.tailScale * own[r * part.rank + j];
				}
			}
			RowsOperand{narrowRows + firstRank[i], width}.pack<arithmetic>(
				0, rows, {0, part.rank, stepsFor<arithmetic>(part.rank)}, tailOf(at, panel, i));
		}
	}

	float* tailOf(const Layout& at, int64_t panel, int part) const {
		return at.tails + panel * at.tailSize + part * mostRows * mostTailSteps;
	}

	// Panels of rows times panels of columns. The right operand comes from far memory, so the part of it that is packed
	// next is asked for while this one is multiplied.
	template <typename PanelRow>
	void multiply(
		const Layout& at, const PanelRow& panelRow, const PanelRange& rows, const PanelRange& columns,
		const PanelRange& columnsAfter, int thread) const {
		TileMultiplier<arithmetic> tiles;
		auto* packedB = static_cast<float*>(pool.local(thread));
		float* packedOuter = packedB + at.widest * panelStride();
		float* stage = packedOuter + at.widest * tailStride();
		Piece next = pieceFrom(0, columns);
		while (next.columns > 0) {
			const Piece piece = next;
			next = pieceFrom(piece.index + 1, columns);
			const Piece asked = next.columns > 0 ? next : pieceFrom(0, columnsAfter);
			const int64_t block = piece.index / count;
			const int i = static_cast<int>(piece.index % count);
			const RightPart<Right>& part = parts[i];
			part.right.template pack<arithmetic>(
				piece.column, piece.columns, piece.range, packedB, panelStride(), stage);
			Tile tile;
			tile.depth = piece.range.steps;
			tile.cStride = part.columns;
			tile.scale = scale;
			tile.accumulate = accumulate || block > 0;
			if (block + 1 == depthBlocks && part.rank > 0) {
				tile.tailDepth = stepsFor<arithmetic>(part.rank);
				part.outer.template pack<arithmetic>(
					piece.column, piece.columns, {0, part.rank, tile.tailDepth}, packedOuter, tailStride(), stage);
			}
			const int64_t columnPanels = divideUp(piece.columns, tileColumns);
			const int64_t shares = (rows.to - rows.from) * columnPanels;
			int64_t share = 0;
			const auto multiplyOne = [&](int64_t panel, int64_t columnPanel) {
				if (asked.columns > 0) {
					parts[asked.index % count].right.prefetch(asked.column, asked.columns, asked.range, share++, shares);
				}
				const int64_t row = panelRow(panel);
				const int64_t done = columnPanel * tileColumns;
				tile.a = at.packedA + (block * at.rowPanels + panel) * at.panelSize;
				tile.tailA = tailOf(at, panel, i);
				tile.b = packedB + columnPanel * panelStride();
				tile.tailB = packedOuter + columnPanel * tailStride();
				tile.c = part.c + row * part.columns + piece.column + done;
				tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, piece.columns - done));
				tiles.multiply(tile, static_cast<int>(panelRow(panel + 1) - row));
			};
			if constexpr (arithmetic == Arithmetic::matrixUnit) {
				// A panel of the right operand stays in the first-level cache, and some of the left one's in the second.
				const int64_t together = mostPanels(at.panelSize * sizeof(float));
				for (int64_t from = rows.from; from < rows.to; from += together) {
					const int64_t to = minimum(rows.to, from + together);
					for (int64_t columnPanel = 0; columnPanel < columnPanels; columnPanel++) {
						for (int64_t panel = from; panel < to; panel++) multiplyOne(panel, columnPanel);
					}
				}
			} else {
				for (int64_t panel = rows.from; panel < rows.to; panel++) {
					for (int64_t columnPanel = 0; columnPanel < columnPanels; columnPanel++) multiplyOne(panel, columnPanel);
				}
			}
		}
	}
};

template <typename Left, typename Right>
void multiplyParts(
	Pool& pool, int64_t M, int64_t K, const Left& left, const RightPart<Right>* parts, int count,
	const NarrowProduct<Right>& narrow, const GemmOptions& options) {
	if (options.bf16) {
		Products<bf16Products, Left, Right>(pool, M, K, left, parts, count, narrow, options.scale, options.accumulate)
			.run();
	} else {
		Products<Arithmetic::fp32, Left, Right>(
			pool, M, K, left, parts, count, narrow, options.scale, options.accumulate)
			.run();
	}
}

// C [M, N] = scale × left [M, K] · right [K, N] (+ C).
template <typename Left, typename Right>
void multiplyMatrices(
	Pool& pool, int64_t M, int64_t N, int64_t K, const Left& left, const Right& right, float* c,
	const GemmOptions& options) {
	const RightPart<Right> only = {right, N, c, 0, right, nullptr, 1.0f};
	multiplyParts(pool, M, K, left, &only, 1, NarrowProduct<Right>{true, right, 1.0f}, options);
}

}  // namespace vulntune::ISA
