// The inner loop of all matrix products: a tile of `rows` × tileColumns sums held in registers.
//
// Every sum runs over the depth in ascending order and in one accumulator, whatever the number of rows: a row of the
// result never depends on which other rows share its tile.
#pragma once
#include "../bf16.h"
#include "../simd.h"

namespace vulntune::ISA {

// What a step of the depth is: one float32, or two bfloat16 in the same four bytes. Both operands are packed into
// arrays of such steps.
enum class Arithmetic { fp32, bf16 };

#if defined(SIMD_BF16)
constexpr bool hasBf16 = true;
#else
constexpr bool hasBf16 = false;
#endif

// What `precision: bf16` means on this instruction set.
constexpr Arithmetic bf16Arithmetic = hasBf16 ? Arithmetic::bf16 : Arithmetic::fp32;

template <Arithmetic arithmetic>
constexpr int elementsPerStep = arithmetic == Arithmetic::bf16 ? 2 : 1;

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

// Most steps of the depth that are multiplied before the sums go to memory.
constexpr int depthBlock = 640;

// Both operands stream from the second-level cache in the order in which they are read, and are asked for this many
// steps ahead.
constexpr int prefetchSteps = 16;
constexpr int cacheLine = 16;  // floats

struct Tile {
	const float* a;   // [depth, rows] steps
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
			UNROLL for (int r = 0; r < rows; r++) {
				const vf element = splat(a[r]);
				UNROLL for (int v = 0; v < vectors; v++) {
					sums[r][v] = multiplyAdd<arithmetic>(element, row[v], sums[r][v]);
				}
			}
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
		UNROLL for (int v = 0; v < vectors; v++) {
			float* c = tile.c + r * tile.cStride + v * W;
			const int columns = minimum(tile.columns - v * W, W);
			vf result = sums[r][v] * scale;
			if (columns == W) {
				if (tile.accumulate) result = result + load(c);
				store(c, result);
			} else if (columns > 0) {
				if (tile.accumulate) result = result + loadPartial(c, columns);
				storePartial(c, result, columns);
			}
		}
	}
}

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

}  // namespace vulntune::ISA
