// The inner loop of all matrix products: a tile of `rows` × tileColumns sums held in registers.
//
// Every sum runs over the depth in ascending order and in one accumulator, whatever the number of rows: a row of the
// result never depends on which other rows share its tile.
#pragma once
#include "../bf16.h"
#include "../simd.h"
#if defined(SIMD_AMX)
#include "matrixTiles.h"
#endif

namespace vulntune::ISA {

// What a step of the depth is: one float32, or two bfloat16 in the same four bytes, multiplied in vectors or (matrixUnit)
// a tile at a time. Both operands are packed into arrays of such steps.
enum class Arithmetic { fp32, bf16, matrixUnit };

#if defined(SIMD_BF16)
constexpr bool hasBf16 = true;
#else
constexpr bool hasBf16 = false;
#endif

// What `precision: bf16` means on this instruction set: for large products, and for those of a few columns. A processor
// with a matrix unit adds up no more in vectors of bfloat16 than in float32.
#if defined(SIMD_AMX)
constexpr Arithmetic bf16Products = Arithmetic::matrixUnit;
constexpr Arithmetic bf16Arithmetic = Arithmetic::fp32;
#else
constexpr Arithmetic bf16Products = hasBf16 ? Arithmetic::bf16 : Arithmetic::fp32;
constexpr Arithmetic bf16Arithmetic = bf16Products;
#endif

template <Arithmetic arithmetic>
constexpr int elementsPerStep = arithmetic == Arithmetic::fp32 ? 1 : 2;

// The depth of a packed operand is a multiple of these steps, zeros at its end.
template <Arithmetic arithmetic>
constexpr int stepsTogether = arithmetic == Arithmetic::matrixUnit ? W : 1;

// Steps that a depth of so many elements takes.
template <Arithmetic arithmetic>
constexpr int64_t stepsFor(int64_t elements) {
	return divideUp(divideUp(elements, elementsPerStep<arithmetic>), stepsTogether<arithmetic>) * stepsTogether<arithmetic>;
}

// The largest tile whose sums, one row of B and one element of A fit the registers.
constexpr int tileVectors = 2;
#if defined(SIMD_AVX512)
constexpr int tileRows = 14;
#elif defined(__aarch64__)
constexpr int tileRows = 12;
#else
constexpr int tileRows = 6;
#endif
constexpr int tileColumns = tileVectors * W;

// The same where tiles of the matrix unit hold the sums.
template <Arithmetic arithmetic>
constexpr int rowsOfTile = arithmetic == Arithmetic::matrixUnit ? 32 : tileRows;

// Most steps of the depth that are multiplied before the sums go to memory.
constexpr int depthBlock = 640;

// The same, so that a panel of the left operand stays in the first-level cache where the matrix unit takes it.
template <Arithmetic arithmetic>
constexpr int depthOfBlock = arithmetic == Arithmetic::matrixUnit ? 320 : depthBlock;

// Both operands stream from the second-level cache in the order in which they are read, and are asked for this many
// steps ahead.
constexpr int prefetchSteps = 16;
constexpr int cacheLine = 16;  // floats

struct Tile {
	const float* a;   // [depth, rows] steps; [depth / W, rows, W] for the matrix unit
	const float* b;   // [depth, tileColumns] steps
	int64_t bStride = tileColumns;
	int64_t depth;    // steps
	// A second product that is added to the same sums, laid out as the first; none if its depth is 0.
	const float* tailA = nullptr;
	const float* tailB = nullptr;
	int64_t tailDepth = 0;
	float* c;         // [rows, tileColumns] inside a matrix
	int64_t cStride;
	int columns;      // of the tile that exist, 1 … tileColumns
	float scale;
	bool accumulate;
};

template <Arithmetic arithmetic>
inline vf multiplyAdd(vf a, vf b, vf sum) {
#if defined(SIMD_BF16)
	if constexpr (arithmetic == Arithmetic::bf16) return dotBf16(sum, a, b);
#endif
	return fma(a, b, sum);
}

// sums += a step of the left rows · the same of the columns.
template <Arithmetic arithmetic, int rows, int vectors>
inline __attribute__((always_inline)) void addStep(
	vf (&sums)[rows][vectors], const float* left, const vf (&columns)[vectors]) {
#if defined(__aarch64__)
	// NEON multiplies by a lane of a register: of rows that are loaded four at once none is spread out, which would drive sums out
	// of the registers.
	if constexpr (rows % W == 0) {
		UNROLL for (int r = 0; r < rows; r += W) {
			const vf four = load(left + r);
			UNROLL for (int v = 0; v < vectors; v++) {
				sums[r][v] = fmaLane<0>(columns[v], four, sums[r][v]);
				sums[r + 1][v] = fmaLane<1>(columns[v], four, sums[r + 1][v]);
				sums[r + 2][v] = fmaLane<2>(columns[v], four, sums[r + 2][v]);
				sums[r + 3][v] = fmaLane<3>(columns[v], four, sums[r + 3][v]);
			}
		}
		return;
	}
#endif
	UNROLL for (int r = 0; r < rows; r++) {
		const vf element = splat(left[r]);
		UNROLL for (int v = 0; v < vectors; v++) {
			sums[r][v] = multiplyAdd<arithmetic>(element, columns[v], sums[r][v]);
		}
	}
}

// Vector v of row r of the tile, as far as its columns exist.
template <typename AnyTile>
inline __attribute__((always_inline)) void storeSums(const AnyTile& tile, int r, int v, vf result) {
	float* c = tile.c + r * tile.cStride + v * W;
	const int columns = minimum(tile.columns - v * W, W);
	if (columns == W) {
		if (tile.accumulate) result = result + load(c);
		store(c, result);
	} else if (columns > 0) {
		if (tile.accumulate) result = result + loadPartial(c, columns);
		storePartial(c, result, columns);
	}
}

// `vectors`: those of a row of B that hold columns, the rest of it being passed over.
template <Arithmetic arithmetic, int rows, int vectors>
__attribute__((noinline)) void multiplyTile(const Tile& tile) {
	vf sums[rows][vectors];
	UNROLL for (int r = 0; r < rows; r++) {
		UNROLL for (int v = 0; v < vectors; v++) {
			sums[r][v] = zero();
			__builtin_prefetch(tile.c + r * tile.cStride + v * W, 1);
		}
	}
	const float* a = tile.a;
	const float* b = tile.b;
	int64_t bStride = tile.bStride;
	int64_t depth = tile.depth;
	for (int product = 0; product < 2; product++) {
		for (; depth > 0; depth--) {
			vf row[vectors];
			UNROLL for (int v = 0; v < vectors; v++) row[v] = load(b + v * W);
			__builtin_prefetch(a + prefetchSteps * rows);
			UNROLL for (int line = 0; line < vectors * W; line += cacheLine) {
				__builtin_prefetch(b + prefetchSteps * bStride + line);
			}
			addStep<arithmetic>(sums, a, row);
			a += rows;
			b += bStride;
		}
		a = tile.tailA;
		b = tile.tailB;
		bStride = tileColumns;
		depth = tile.tailDepth;
	}
	const vf scale = splat(tile.scale);
	UNROLL for (int r = 0; r < rows; r++) {
		UNROLL for (int v = 0; v < vectors; v++) storeSums(tile, r, v, sums[r][v] * scale);
	}
}

#if defined(SIMD_AMX)

// Sums that have left the unit and are on their way to the result, which takes longer than the products: they are written
// while the next tile is multiplied.
struct LeavingTile {
	Tile tile;
	int rows = 0;
	int written = 0;
	alignas(64) float sums[2 * matrixTileRows * tileColumns];

	// Rows that are written with each step of the unit; all at once they would keep the operands waiting.
	static constexpr int together = 2;

	inline __attribute__((always_inline)) void writeRows(int count) {
		for (const int end = minimum(rows, written + count); written < end; written++) {
			const float* from = sums + written * tileColumns;
			UNROLL for (int v = 0; v < tileVectors; v++) {
				storeSums(tile, written, v, load(from + v * W) * splat(tile.scale));
			}
		}
	}
};

// The same for 1 … 32 rows, by the matrix unit, whose tiles have been shaped for them: into `sums`, while those of `leaving`
// are written.
template <bool tall, bool wide>
__attribute__((noinline)) void multiplyTileByUnit(const Tile& tile, int rows, LeavingTile& leaving, float* sums) {
	const auto forEachSum = [&](const auto& each) {
		each.template operator()<upperLeft>(sums);
		if constexpr (wide) each.template operator()<upperRight>(sums + W);
		if constexpr (tall) each.template operator()<lowerLeft>(sums + matrixTileRows * tileColumns);
		if constexpr (tall && wide) each.template operator()<lowerRight>(sums + matrixTileRows * tileColumns + W);
	};
	forEachSum([]<MatrixTile sum>(float*) { zeroTile<sum>(); });
	const float* a = tile.a;
	const float* b = tile.b;
	int64_t depth = tile.depth;
	int asked = 0;
	for (int product = 0; product < 2; product++) {
		for (; depth > 0; depth -= matrixTileSteps) {
			leaving.writeRows(LeavingTile::together);
			for (int end = minimum(rows, asked + LeavingTile::together); asked < end; asked++) {
				UNROLL for (int v = 0; v < (wide ? 2 : 1); v++) __builtin_prefetch(tile.c + asked * tile.cStride + v * W, 1);
			}
			loadPassingTile<upperRows>(a, matrixTileSteps);
			loadTile<leftColumns>(b, tileColumns);
			multiplyTiles<upperLeft, upperRows, leftColumns>();
			if constexpr (wide) loadTile<rightColumns>(b + W, tileColumns);
			if constexpr (wide) multiplyTiles<upperRight, upperRows, rightColumns>();
			if constexpr (tall) loadPassingTile<lowerRows>(a + matrixTileRows * matrixTileSteps, matrixTileSteps);
			if constexpr (tall) multiplyTiles<lowerLeft, lowerRows, leftColumns>();
			if constexpr (tall && wide) multiplyTiles<lowerRight, lowerRows, rightColumns>();
			a += rows * matrixTileSteps;
			b += matrixTileSteps * tileColumns;
		}
		a = tile.tailA;
		b = tile.tailB;
		depth = tile.tailDepth;
	}
	leaving.writeRows(rowsOfTile<Arithmetic::matrixUnit>);
	forEachSum([]<MatrixTile sum>(float* to) { storeTile<sum>(to, tileColumns); });
}

#endif

using TileFunction = void (*)(const Tile&);

// The functions for 1 … tileRows rows; entry 0 is unused.
template <Arithmetic arithmetic, int vectors>
struct TileFunctions {
	TileFunction forRows[tileRows + 1] = {};
	constexpr TileFunctions() { fillFrom<tileRows>(); }

private:
	template <int rows>
	constexpr void fillFrom() {
		forRows[rows] = multiplyTile<arithmetic, rows, vectors>;
		if constexpr (rows > 1) fillFrom<rows - 1>();
	}
};

template <Arithmetic arithmetic>
inline constexpr TileFunctions<arithmetic, tileVectors> tileFunctions = {};

// For tiles of which one vector of columns exists.
template <Arithmetic arithmetic>
inline constexpr TileFunctions<arithmetic, 1> narrowTileFunctions = {};

// What multiplies tiles in one task of a thread.
template <Arithmetic arithmetic>
struct TileMultiplier {
	// A tile of 1 … rowsOfTile rows, of which one vector of columns exists or all do. It is there after `finish`.
	void multiply(const Tile& tile, int rows, bool narrow = false) const {
		(narrow ? narrowTileFunctions<arithmetic>.forRows : tileFunctions<arithmetic>.forRows)[rows](tile);
	}
	void finish() const {}
};

#if defined(SIMD_AMX)

// Shaping the unit's tiles takes as long as a third of a product, so it is done only where the rows change.
template <>
struct TileMultiplier<Arithmetic::matrixUnit> {
	int shapedRows = 0;
	bool second = false;
	LeavingTile tiles[2];

	TileMultiplier() = default;
	TileMultiplier(const TileMultiplier&) = delete;
	~TileMultiplier() {
		finish();
		if (shapedRows != 0) releaseTiles();
	}

	void multiply(const Tile& tile, int rows, bool narrow = false) {
		if (rows != shapedRows) shapeTiles(MatrixTileShapes(rows));
		shapedRows = rows;
		LeavingTile& leaving = tiles[second];
		LeavingTile& next = tiles[!second];
		const bool tall = rows > matrixTileRows;
		if (narrow) {
			(tall ? multiplyTileByUnit<true, false> : multiplyTileByUnit<false, false>)(tile, rows, leaving, next.sums);
		} else {
			(tall ? multiplyTileByUnit<true, true> : multiplyTileByUnit<false, true>)(tile, rows, leaving, next.sums);
		}
		next.tile = tile;
		next.tile.columns = minimum(tile.columns, narrow ? W : tileColumns);
		next.rows = rows;
		next.written = 0;
		second = !second;
	}

	void finish() { tiles[second].writeRows(rowsOfTile<Arithmetic::matrixUnit>); }
};

#endif

}  // namespace vulntune::ISA
