// How a matrix product is cut: between threads, and into what is packed at once.
#pragma once
#include "microkernel.h"

namespace vulntune::ISA {

// How a product is dealt out to threads: tiles of `rowPanels` × `columnPanels` panels, as equal as possible.
struct Tiling {
	int64_t rowTiles;
	int64_t columnTiles;
};

// Multiply-add instructions that a step of the depth of a whole tile takes, or as long as so many: the matrix unit
// multiplies 32 × 32 sums with 16 steps in 64 cycles.
template <Arithmetic arithmetic>
constexpr double tileCost = arithmetic == Arithmetic::matrixUnit ? 8 : tileRows * tileVectors;

// Packed panels that stay in the second-level cache: as many of this size.
inline int64_t mostPanels(int64_t panelBytes) { return maximum<int64_t>(1, (384 << 10) / panelBytes); }

// Estimates the time of the slowest thread, in multiply-add instructions per step of the depth, for all sensible
// tilings of at most `widest` panels of columns and takes the best. Packing costs `packInstructions` per vector of B, and
// rows of A come from a far cache.
inline Tiling chooseTiling(
	int64_t rowPanels, int64_t columnPanels, int64_t widest, int threads, double packInstructions,
	double tileCost = tileRows * tileVectors) {
	constexpr double fetchCost = 0.35 * tileRows;
	const double packCost = packInstructions * tileVectors;
	Tiling best = {1, columnPanels};
	double bestCost = 1e300;
	const int64_t fewest = divideUp(columnPanels, widest);
	const int64_t mostRowTiles = threads == 1 ? 1 : minimum<int64_t>(rowPanels, 4 * threads);
	for (int64_t rowTiles = 1; rowTiles <= mostRowTiles; rowTiles++) {
		for (int64_t columnTiles = fewest; columnTiles <= columnPanels; columnTiles++) {
			const double high = static_cast<double>(divideUp(rowPanels, rowTiles));
			const double wide = static_cast<double>(divideUp(columnPanels, columnTiles));
			const double cost = high * wide * tileCost + wide * packCost + high * fetchCost;
			const int64_t rounds = divideUp(rowTiles * columnTiles, threads);
			// Threads are never equally fast: the smaller the last task, the shorter the wait for it.
			const double total = static_cast<double>(rounds) * cost + (threads > 1 ? 0.15 * cost : 0);
			if (total < bestCost) {
				bestCost = total;
				best = {rowTiles, columnTiles};
			}
			if (rowTiles * columnTiles > 16 * threads && columnTiles > fewest) break;
		}
	}
	return best;
}

// Rows of A that are packed at once: bounds the memory for them, and changes no sum.
inline int64_t rowsAtOnce(int64_t steps, int rowsOfPanel = tileRows) {
	constexpr int64_t budget = int64_t{32} << 20;
	return maximum<int64_t>(1, budget / (steps * 4) / rowsOfPanel) * rowsOfPanel;
}

}  // namespace vulntune::ISA
