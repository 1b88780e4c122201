// The inner loop of products in 8 bits: whole numbers are summed in registers over a block of the depth, then scaled
// and added to float32 sums in ascending order of the blocks. A row of the result never depends on which other rows
// share its tile.
#pragma once
#include "int8Packing.h"

namespace vulntune::ISA {

struct Int8Tile {
	const int32_t* a;  // [blocks, leftWords, rows]
	const int32_t* b;  // [blocks, blockWords]
	int64_t blocks;
	// A product of floats that is added to the sums, laid out as in microkernel.h; none if its depth is 0.
	const float* tailA = nullptr;
	const float* tailB = nullptr;
	int64_t tailDepth = 0;
	float* c;          // [rows, tileColumns] inside a matrix
	int64_t cStride;
	int columns;       // of the tile that exist, 1 … tileColumns
	float scale;
	bool accumulate;
};

// sums += the codes of a step of the left rows · the same of the columns.
template <int rows>
inline __attribute__((always_inline)) void addCodes(
	CodeWords (&sums)[rows][tileVectors], const int32_t* left, const CodeWords (&columns)[tileVectors]) {
#if defined(SIMD_DOTPROD)
	// The instruction takes one lane of its right operand for all: four rows are loaded at once, and none is spread out.
	if constexpr (rows % W == 0) {
		UNROLL for (int r = 0; r < rows; r += W) {
			const int8x16_t four = int8x16_t(loadWords(left + r));
			UNROLL for (int v = 0; v < tileVectors; v++) {
				const int8x16_t column = int8x16_t(columns[v]);
				sums[r][v] = CodeWords(vdotq_laneq_s32(int32x4_t(sums[r][v]), column, four, 0));
				sums[r + 1][v] = CodeWords(vdotq_laneq_s32(int32x4_t(sums[r + 1][v]), column, four, 1));
				sums[r + 2][v] = CodeWords(vdotq_laneq_s32(int32x4_t(sums[r + 2][v]), column, four, 2));
				sums[r + 3][v] = CodeWords(vdotq_laneq_s32(int32x4_t(sums[r + 3][v]), column, four, 3));
			}
		}
		return;
	}
#endif
	UNROLL for (int r = 0; r < rows; r++) {
		const CodeWords element = splatWord(left[r]);
		UNROLL for (int v = 0; v < tileVectors; v++) sums[r][v] = dotCodes(sums[r][v], element, columns[v]);
	}
}

template <int rows>
__attribute__((noinline)) void multiplyInt8Tile(const Int8Tile& tile) {
	alignas(64) float sums[rows][tileColumns];
	UNROLL for (int r = 0; r < rows; r++) {
		UNROLL for (int v = 0; v < tileVectors; v++) store(sums[r] + v * W, zero());
	}
	const int32_t* a = tile.a;
	const int32_t* b = tile.b;
	// Rows of the result are asked for a few at a time: all at once would make the operands wait behind them.
	const int64_t rowsPerBlock = divideUp(rows, tile.blocks);
	int64_t asked = 0;
	for (int64_t block = 0; block < tile.blocks; block++) {
		for (const int64_t until = minimum<int64_t>(rows, asked + rowsPerBlock); asked < until; asked++) {
			UNROLL for (int v = 0; v < tileVectors; v++) {
				__builtin_prefetch(tile.c + asked * tile.cStride + v * W, 1);
			}
		}
		CodeWords products[rows][tileVectors];
		UNROLL for (int v = 0; v < tileVectors; v++) {
#if defined(SIMD_VNNI)
			const CodeWords start = loadWords(b + startsOffset + v * W);
#else
			const CodeWords start = {};
#endif
			UNROLL for (int r = 0; r < rows; r++) products[r][v] = start;
		}
		for (int step = 0; step < stepsPerBlock; step++) {
			CodeWords row[tileVectors];
			UNROLL for (int v = 0; v < tileVectors; v++) row[v] = loadWords(b + v * W);
			__builtin_prefetch(a + prefetchSteps * rows);
			UNROLL for (int line = 0; line < tileColumns; line += cacheLine) {
				__builtin_prefetch(b + prefetchSteps * tileColumns + line);
			}
			addCodes(products, a, row);
			a += rows;
			b += tileColumns;
		}
		const auto* leftScales = reinterpret_cast<const float*>(a);
		const auto* rightScales = reinterpret_cast<const float*>(b + (rightScalesOffset - startsOffset));
		vf right[tileVectors];
		UNROLL for (int v = 0; v < tileVectors; v++) right[v] = load(rightScales + v * W);
		UNROLL for (int r = 0; r < rows; r++) {
			const vf left = splat(leftScales[r]);
			UNROLL for (int v = 0; v < tileVectors; v++) {
				float* sum = sums[r] + v * W;
				store(sum, fma(floatFromWords(products[r][v]) * left, right[v], load(sum)));
			}
		}
		a += rows;
		b += blockWords - startsOffset;
	}
	vf results[rows][tileVectors];
	UNROLL for (int r = 0; r < rows; r++) {
		UNROLL for (int v = 0; v < tileVectors; v++) results[r][v] = load(sums[r] + v * W);
	}
	const float* tailA = tile.tailA;
	const float* tailB = tile.tailB;
	for (int64_t step = 0; step < tile.tailDepth; step++) {
		vf row[tileVectors];
		UNROLL for (int v = 0; v < tileVectors; v++) row[v] = load(tailB + v * W);
		addStep<bf16Arithmetic>(results, tailA, row);
		tailA += rows;
		tailB += tileColumns;
	}
	const vf scale = splat(tile.scale);
	UNROLL for (int r = 0; r < rows; r++) {
		UNROLL for (int v = 0; v < tileVectors; v++) storeSums(tile, r, v, results[r][v] * scale);
	}
}

using Int8TileFunction = void (*)(const Int8Tile&);

// The functions for 1 … tileRows rows; entry 0 is unused.
struct Int8TileFunctions {
	Int8TileFunction forRows[tileRows + 1];
};

template <int rows>
constexpr Int8TileFunctions fillInt8TileFunctions(Int8TileFunctions functions) {
	functions.forRows[rows] = multiplyInt8Tile<rows>;
	if constexpr (rows > 1) return fillInt8TileFunctions<rows - 1>(functions);
	return functions;
}

inline constexpr Int8TileFunctions int8TileFunctions = fillInt8TileFunctions<tileRows>({});

}  // namespace vulntune::ISA
