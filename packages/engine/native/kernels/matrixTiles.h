// The matrix unit of a processor (AMX): eight registers, each a tile of 16 rows of 64 bytes, and an instruction that
// multiplies two tiles of bfloat16 pairs and adds the sums to a third of float32; or what stands in for it when the
// test-only level emulates it.
//
// Each sum runs over the pairs in ascending order. Tile 0 … 3: sums of (upper, lower) rows × (left, right) columns; 4
// and 5: upper and lower rows of the left operand; 6 and 7: left and right columns of the right one.
#pragma once
#include "../bf16.h"
#include "../simd.h"

namespace vulntune::ISA {

constexpr int matrixTileRows = 16;
constexpr int matrixTileSteps = 16;  // pairs of a row

enum MatrixTile : int { upperLeft, upperRight, lowerLeft, lowerRight, upperRows, lowerRows, leftColumns, rightColumns };

// How many rows each tile has; laid out as the instruction reads it.
struct alignas(64) MatrixTileShapes {
	uint8_t palette = 1;
	uint8_t reserved[15] = {};
	uint16_t bytesOfRow[16] = {};
	uint8_t rows[16] = {};

	// For 1 … 2 × matrixTileRows rows of the left operand.
	explicit MatrixTileShapes(int leftRows) {
		const auto upper = static_cast<uint8_t>(minimum(leftRows, matrixTileRows));
		const auto lower = static_cast<uint8_t>(maximum(1, leftRows - matrixTileRows));
		for (int tile = upperLeft; tile <= rightColumns; tile++) bytesOfRow[tile] = matrixTileSteps * sizeof(float);
		rows[upperLeft] = rows[upperRight] = rows[upperRows] = upper;
		rows[lowerLeft] = rows[lowerRight] = rows[lowerRows] = lower;
		rows[leftColumns] = rows[rightColumns] = matrixTileSteps;
	}
};

#if defined(SIMD_AMX_EMULATED)

struct MatrixUnit {
	MatrixTileShapes shapes{1};
	float values[8][matrixTileRows][matrixTileSteps];
};

inline MatrixUnit& matrixUnit() {
	static thread_local MatrixUnit unit;
	return unit;
}

inline void shapeTiles(const MatrixTileShapes& shapes) { matrixUnit().shapes = shapes; }
inline void releaseTiles() {}

template <MatrixTile tile>
inline void zeroTile() {
	memset(matrixUnit().values[tile], 0, sizeof matrixUnit().values[tile]);
}

// Rows lie `stride` floats apart.
template <MatrixTile tile>
inline void loadTile(const float* from, int64_t stride) {
	for (int r = 0; r < matrixUnit().shapes.rows[tile]; r++) {
		store(matrixUnit().values[tile][r], load(from + r * stride));
	}
}

// The same of rows that pass by: the first-level cache is left to what is read again.
template <MatrixTile tile>
inline void loadPassingTile(const float* from, int64_t stride) {
	loadTile<tile>(from, stride);
}

template <MatrixTile tile>
inline void storeTile(float* to, int64_t stride) {
	for (int r = 0; r < matrixUnit().shapes.rows[tile]; r++) store(to + r * stride, load(matrixUnit().values[tile][r]));
}

// sums += rows · columns
template <MatrixTile sums, MatrixTile rows, MatrixTile columns>
inline void multiplyTiles() {
	MatrixUnit& unit = matrixUnit();
	for (int r = 0; r < unit.shapes.rows[sums]; r++) {
		vf sum = load(unit.values[sums][r]);
		for (int step = 0; step < matrixTileSteps; step++) {
			sum = dotBf16(sum, splat(unit.values[rows][r][step]), load(unit.values[columns][step]));
		}
		store(unit.values[sums][r], sum);
	}
}

#else

// GCC's own functions take a tile's number only as it is written in the source.
inline void shapeTiles(const MatrixTileShapes& shapes) { asm volatile("ldtilecfg %0" ::"m"(shapes)); }
// A thread whose tiles are released is switched away from faster.
inline void releaseTiles() { asm volatile("tilerelease"); }

template <MatrixTile tile>
inline void zeroTile() {
	asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}

// Rows lie `stride` floats apart.
template <MatrixTile tile>
inline void loadTile(const float* from, int64_t stride) {
	asm volatile("tileloadd (%0,%1,4), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
}

// The same of rows that pass by: the first-level cache is left to what is read again.
template <MatrixTile tile>
inline void loadPassingTile(const float* from, int64_t stride) {
	asm volatile("tileloaddt1 (%0,%1,4), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
}

template <MatrixTile tile>
inline void storeTile(float* to, int64_t stride) {
	asm volatile("tilestored %%tmm%c2, (%0,%1,4)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
}

// sums += rows · columns
template <MatrixTile sums, MatrixTile rows, MatrixTile columns>
inline void multiplyTiles() {
	asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(rows), "i"(columns));
}

#endif

}  // namespace vulntune::ISA
