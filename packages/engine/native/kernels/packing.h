// Operands of matrix products in the order in which the inner loop reads them. Steps are float32 numbers or pairs of
// bfloat16, see microkernel.h; conversion and dequantisation happen here, once per tile.
#pragma once
#include "dropout.h"
#include "microkernel.h"
#include "weights.h"

namespace vulntune::ISA {

// A part of the depth: elements [from, from + length), which are `steps` steps.
struct DepthRange {
	int64_t from;
	int64_t length;
	int64_t steps;
};

// Steps of a row from `k` on, as many as a vector holds; zeros beyond the range.
template <Arithmetic arithmetic>
inline vf stepsOf(const float* row, int64_t k, const DepthRange& range) {
	const int64_t element = k * elementsPerStep<arithmetic>;
	const int64_t left = range.length - element;
	if constexpr (arithmetic == Arithmetic::fp32) {
		return left >= W ? load(row + element) : loadPartial(row + element, static_cast<int>(left));
	} else {
#if defined(SIMD_BF16)
		if (left >= 2 * W) return reinterpret_cast<vf>(roundPairToBf16(load(row + element), load(row + element + W)));
		const int low = static_cast<int>(minimum<int64_t>(W, left));
		const int high = static_cast<int>(maximum<int64_t>(0, left - W));
		const float* second = high > 0 ? row + element + W : row;
		return reinterpret_cast<vf>(roundPairToBf16(loadPartial(row + element, low), loadPartial(second, high)));
#endif
	}
}

// A row as steps one after the other, zeros up to the last.
template <Arithmetic arithmetic>
inline void packRow(const float* row, const DepthRange& range, float* packed) {
	for (int64_t k = 0; k < range.steps; k += W) {
		const int count = static_cast<int>(minimum<int64_t>(W, range.steps - k));
		storePartial(packed + k, stepsOf<arithmetic>(row, k, range), count);
	}
}

// ── the left operand: panels [steps, rows]; [steps / W, rows, W] for the matrix unit ──────────────────────────────

// Rows of a row-major matrix, the depth along its columns.
struct RowsOperand {
	const float* data;
	int64_t stride;

	template <Arithmetic arithmetic>
	void pack(int64_t row, int rows, const DepthRange& range, float* panel) const {
		const float* first = data + row * stride + range.from;
		if constexpr (arithmetic == Arithmetic::matrixUnit) {
			for (int r = 0; r < rows; r++) {
				for (int64_t k = 0; k < range.steps; k += W) {
					store(panel + k * rows + r * W, stepsOf<arithmetic>(first + r * stride, k, range));
				}
			}
			return;
		}
		for (int64_t k = 0; k < range.steps; k += W) {
			const int steps = static_cast<int>(minimum<int64_t>(W, range.steps - k));
			for (int r = 0; r < rows; r += W) {
				const int some = minimum(W, rows - r);
				vf block[W];
				UNROLL for (int i = 0; i < W; i++) {
					block[i] = i < some ? stepsOf<arithmetic>(first + (r + i) * stride, k, range) : zero();
				}
				transpose(block);
				UNROLL for (int i = 0; i < W; i++) {
					if (i < steps) storePartial(panel + (k + i) * rows + r, block[i], some);
				}
			}
		}
	}
};

// Columns of a row-major matrix, the depth along its rows.
struct ColumnsOperand {
	const float* data;
	int64_t stride;

	template <Arithmetic arithmetic>
	void pack(int64_t column, int columns, const DepthRange& range, float* panel) const {
		const float* from = data + range.from * stride + column;
		for (int64_t step = 0; step < range.steps; step++) {
			for (int c = 0; c < columns; c += W) {
				const int some = minimum(W, columns - c);
				vf value;
				if constexpr (arithmetic == Arithmetic::fp32) {
					value = loadPartial(from + step * stride + c, some);
				} else {
#if defined(SIMD_BF16)
					const int64_t second = 2 * step + 1;
					const vf even = 2 * step < range.length ? loadPartial(from + 2 * step * stride + c, some) : zero();
					const vf odd = second < range.length ? loadPartial(from + second * stride + c, some) : zero();
					value = roundLanesToBf16(even, odd);
#endif
				}
				if constexpr (arithmetic == Arithmetic::matrixUnit) {
					alignas(64) float steps[W];
					store(steps, value);
					for (int i = 0; i < some; i++) panel[step / W * W * columns + (c + i) * W + step % W] = steps[i];
				} else {
					storePartial(panel + step * columns + c, value, some);
				}
			}
		}
	}
};

// ── the right operand: panels [steps, tileColumns] ─────────────────────────────────────────────────────────────

template <Arithmetic arithmetic>
constexpr Storage packedStorage = arithmetic == Arithmetic::fp32 ? Storage::f32 : Storage::bf16;

template <Arithmetic arithmetic>
using PackedElement = typename Choose<arithmetic == Arithmetic::fp32, float, uint16_t>::Type;

// Wᵀ: the columns of the operand are rows of the matrix.
struct TransposedMatrix {
	Matrix matrix;

	// Asks for one of `shares` equal shares of what `pack` will read.
	PREFETCHING void prefetch(int64_t column, int64_t columns, const DepthRange& range, int64_t share, int64_t shares) const {
		const int64_t end = column + columns * (share + 1) / shares;
		for (int64_t row = column + columns * share / shares; row < end; row++) {
			prefetchRow(matrix, row, range.from, range.length);
		}
	}

	// Panels for columns [column, column + columns), `panelStride` apart; stage: [W, depthBlock].
	template <Arithmetic arithmetic>
	void pack(
		int64_t column, int64_t columns, const DepthRange& range, float* panels, int64_t panelStride, float* stage) const {
		using Element = PackedElement<arithmetic>;
		const bool direct = matrix.storage == packedStorage<arithmetic> && range.steps % W == 0 &&
			range.length == range.steps * elementsPerStep<arithmetic>;
		for (int64_t c = 0; c < columns; c += W) {
			const float* rows[W];
			for (int i = 0; i < W; i++) {
				auto* staged = reinterpret_cast<Element*>(stage + i * depthBlock);
				rows[i] = reinterpret_cast<const float*>(staged);
				if (c + i >= columns) {
					memset(staged, 0, range.steps * sizeof(float));
				} else if (direct) {
					const int64_t flat = matrix.first + (column + c + i) * matrix.columns + range.from;
					rows[i] = reinterpret_cast<const float*>(static_cast<const Element*>(matrix.data) + flat);
				} else {
					decodeRow(matrix, column + c + i, range.from, range.length, staged);
					const int64_t elements = range.steps * elementsPerStep<arithmetic>;
					for (int64_t e = range.length; e < elements; e++) staged[e] = 0;
				}
			}
			float* panel = panels + c / tileColumns * panelStride + c % tileColumns;
			for (int64_t k = 0; k < range.steps; k += W) {
				vf block[W];
				UNROLL for (int i = 0; i < W; i++) block[i] = load(rows[i] + k);
				transpose(block);
				UNROLL for (int i = 0; i < W; i++) store(panel + (k + i) * tileColumns, block[i]);
			}
		}
	}
};

// What supplies rows to `DepthAlongRows`: a stored matrix.
struct MatrixRows {
	Matrix matrix;

	PREFETCHING void prefetch(int64_t row, int64_t column, int64_t length) const { prefetchRow(matrix, row, column, length); }

	// The row where it lies, if it already is what the inner loop takes.
	template <typename Element>
	const Element* inPlace(int64_t row, int64_t column) const {
		constexpr Storage wanted = sizeof(Element) == 2 ? Storage::bf16 : Storage::f32;
		if (matrix.storage != wanted) return nullptr;
		return static_cast<const Element*>(matrix.data) + matrix.first + row * matrix.columns + column;
	}

	template <typename Element>
	void read(int64_t row, int64_t column, int64_t length, Element* out) const {
		decodeRow(matrix, row, column, length, out);
	}
};

// Float32 rows after dropout.
struct DroppedRows {
	const float* data;
	int64_t columns;
	DropoutMask mask;

	PREFETCHING void prefetch(int64_t row, int64_t column, int64_t length) const {
		prefetchRow(denseMatrix(data, columns), row, column, length);
	}

	template <typename Element>
	const Element* inPlace(int64_t, int64_t) const {
		return nullptr;
	}

	template <typename Element>
	void read(int64_t row, int64_t column, int64_t length, Element* out) const {
		const int64_t first = row * columns + column;
		if constexpr (sizeof(Element) == 4) {
			dropoutRun(out, data + first, first, length, mask);
		} else {
#if defined(SIMD_BF16)
			constexpr int64_t piece = 4 * dropoutGroup;
			float values[piece];
			for (int64_t done = 0; done < length; done += piece) {
				const int64_t count = minimum(piece, length - done);
				dropoutRun(values, data + first + done, first + done, count, mask);
				storeBf16(out + done, values, static_cast<int>(count));
			}
#endif
		}
	}
};

// A matrix as it is: the depth runs along its rows.
template <typename Rows>
struct DepthAlongRows {
	Rows source;

	// Asks for one of `shares` equal shares of what `pack` will read.
	PREFETCHING void prefetch(int64_t column, int64_t columns, const DepthRange& range, int64_t share, int64_t shares) const {
		const int64_t end = range.from + range.length * (share + 1) / shares;
		for (int64_t row = range.from + range.length * share / shares; row < end; row++) {
			source.prefetch(row, column, columns);
		}
	}

	// Panels for columns [column, column + columns), `panelStride` apart; stage: two rows of whole panels.
	template <Arithmetic arithmetic>
	void pack(
		int64_t column, int64_t columns, const DepthRange& range, float* panels, int64_t panelStride, float* stage) const {
		using Element = PackedElement<arithmetic>;
		constexpr int together = elementsPerStep<arithmetic>;
		const int64_t width = divideUp(columns, tileColumns) * tileColumns;
		for (int64_t step = 0; step < range.steps; step++) {
			const Element* rows[together];
			for (int i = 0; i < together; i++) {
				const int64_t row = step * together + i;
				rows[i] = rowOf(range.from + row, row < range.length, column, columns, width,
					reinterpret_cast<Element*>(stage) + i * width);
			}
			float* target = panels + step * tileColumns;
			for (int64_t c = 0; c < width; c += tileColumns, target += panelStride) {
				if constexpr (arithmetic == Arithmetic::fp32) {
					UNROLL for (int v = 0; v < tileVectors; v++) store(target + v * W, load(rows[0] + c + v * W));
				} else {
#if defined(SIMD_BF16)
					storePairs(target, rows[0] + c, rows[1] + c);
#endif
				}
			}
		}
	}

private:
	// `width` elements of a row, 0 beyond the matrix: where it lies if possible, else in `staged`.
	template <typename Element>
	const Element* rowOf(
		int64_t row, bool exists, int64_t column, int64_t columns, int64_t width, Element* staged) const {
		if (!exists) {
			memset(staged, 0, width * sizeof(Element));
			return staged;
		}
		if (width == columns) {
			if (const Element* found = source.template inPlace<Element>(row, column)) return found;
		}
		source.read(row, column, columns, staged);
		memset(staged + columns, 0, (width - columns) * sizeof(Element));
		return staged;
	}

#if defined(SIMD_BF16)
	// target[c] = (even[c], odd[c]) for tileColumns columns.
	static void storePairs(float* target, const uint16_t* even, const uint16_t* odd) {
		using Halves = int16_t __attribute__((vector_size(64)));
		Halves a, b;
		memcpy(&a, even, sizeof a);
		memcpy(&b, odd, sizeof b);
		const Halves low = __builtin_shufflevector(
			a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45,
			14, 46, 15, 47);
		const Halves high = __builtin_shufflevector(
			a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60,
			29, 61, 30, 62, 31, 63);
		memcpy(target, &low, sizeof low);
		memcpy(target + W, &high, sizeof high);
	}
#endif
};

}  // namespace vulntune::ISA
