// Operands of products in 8 bits in the order in which the inner loop reads them; codes and scales are made here, once
// per tile.
//
// A left panel: for each block [stepsPerBlock, rows] steps and [rows] scales.
// A right panel: for each block [stepsPerBlock, tileColumns] steps; with VNNI [tileColumns] sums to start from, which
// take back what the offset of the left codes adds; and [tileColumns] scales.
#pragma once
#include "int8Quantize.h"
#include "microkernel.h"
#include "weights.h"

namespace vulntune::ISA {

// Blocks along the depth that are multiplied before the sums go to memory.
constexpr int64_t blocksAtOnce = depthBlock / stepsPerBlock;
// Words of a block of one row of a left panel.
constexpr int leftWords = stepsPerBlock + 1;

constexpr int startsOffset = stepsPerBlock * tileColumns;
constexpr int rightScalesOffset = startsOffset + (leftCodeSigns != 0 ? tileColumns : 0);
constexpr int blockWords = rightScalesOffset + tileColumns;

// A part of the depth: `count` blocks from element `from` on; the depth ends at element `end`.
struct BlockRange {
	int64_t from;
	int64_t count;
	int64_t end;

	int64_t fromElement(int64_t block) const { return from + block * int8Block; }
	int64_t lengthOf(int64_t block) const { return minimum<int64_t>(int8Block, end - fromElement(block)); }
};

// One block of W rows in 8 bits: steps[i] holds step i of all rows. rows[i] for i ≥ count don't exist.
template <typename Put>
inline BlockScales quantizeRows(const float* const (&rows)[W], int count, const Put& put) {
	vf lanes[W];
	UNROLL for (int i = 0; i < W; i++) lanes[i] = i < count ? vf(absmaxLanes(rows[i])) : zero();
	const BlockScales scales = scalesOf(largestOf(lanes));
	alignas(64) float inverse[W];
	store(inverse, scales.inverse);
#if defined(SIMD_BYTE_CODES)
	UNROLL for (int first = 0; first < stepsPerBlock; first += W) {
		UNROLL for (int i = 0; i < W; i++) {
			lanes[i] = i < count ? vf(rowCodes(rows[i] + first * codesPerStep, splat(inverse[i]))) : zero();
		}
		transpose(lanes);
		UNROLL for (int i = 0; i < W; i++) put(first + i, CodeWords(lanes[i]));
	}
#else
	alignas(64) int32_t steps[W][stepsPerBlock];
	for (int i = 0; i < count; i++) quantizeRow(rows[i], inverse[i], steps[i]);
	for (int first = 0; first < stepsPerBlock; first += W) {
		UNROLL for (int i = 0; i < W; i++) lanes[i] = i < count ? vf(loadWords(steps[i] + first)) : zero();
		transpose(lanes);
		UNROLL for (int i = 0; i < W; i++) put(first + i, CodeWords(lanes[i]));
	}
#endif
	return scales;
}

// Rows of a float32 matrix become a left panel.
inline void packLeft(const float* data, int64_t stride, int rows, const BlockRange& range, int32_t* panel) {
	for (int64_t block = 0; block < range.count; block++, panel += leftWords * rows) {
		const int64_t length = range.lengthOf(block);
		for (int first = 0; first < rows; first += W) {
			const int some = minimum(W, rows - first);
			const float* values[W];
			alignas(64) float padded[W][int8Block];
			if (length < int8Block) memset(padded, 0, sizeof padded);
			for (int i = 0; i < some; i++) {
				values[i] = data + (first + i) * stride + range.fromElement(block);
				if (length == int8Block) continue;
				memcpy(padded[i], values[i], length * sizeof(float));
				values[i] = padded[i];
			}
			int32_t* target = panel + first;
			const auto put = [&](int step, CodeWords words) {
				storePartial(reinterpret_cast<float*>(target + step * rows), vf(words ^ splatWord(leftCodeSigns)), some);
			};
			const BlockScales scales = quantizeRows(values, some, put);
			storePartial(reinterpret_cast<float*>(target + stepsPerBlock * rows), scales.scale, some);
		}
	}
}

// Takes the steps of a block for W columns one by one, and writes what stands behind them.
class RightColumns {
public:
	explicit RightColumns(int32_t* columns) : columns(columns) {}

	void put(int step, CodeWords words) {
		storeWords(columns + step * tileColumns, words);
#if defined(SIMD_VNNI)
		CodeWords& offset = offsets[step % chains];
		offset = dotCodes(offset, splatWord(leftCodeSigns), words);
#endif
	}

	void end(vf scale) {
		store(reinterpret_cast<float*>(columns + rightScalesOffset), scale);
#if defined(SIMD_VNNI)
		storeWords(columns + startsOffset, -(offsets[0] + offsets[1] + (offsets[2] + offsets[3])));
#endif
	}

private:
	int32_t* columns;
#if defined(SIMD_VNNI)
	// One sum would wait for itself.
	static constexpr int chains = 4;
	CodeWords offsets[chains] = {};
#endif
};

// Wᵀ: the columns of the operand are rows of the matrix.
struct Int8TransposedMatrix {
	Matrix matrix;

	// Panels for columns [column, column + columns), `panelStride` words apart.
	void pack(
		int64_t column, int64_t columns, const BlockRange& range, int32_t* panels, int64_t panelStride) const {
		for (int64_t c = 0; c < columns; c += W) {
			int32_t* panel = panels + c / tileColumns * panelStride + c % tileColumns;
			const int width = static_cast<int>(minimum<int64_t>(W, columns - c));
			for (int64_t block = 0; block < range.count; block += blocksTogether) {
				const int64_t count = minimum<int64_t>(blocksTogether, range.count - block);
				packGroup(column + c, width, {range.fromElement(block), count, range.end}, panel + block * blockWords);
			}
		}
	}

private:
	// Decoded at once: enough to make up for the call, and not more than the first-level cache holds.
	static constexpr int64_t blocksTogether = 4;

	// Some blocks of W rows of the matrix, of which `width` exist.
	void packGroup(int64_t row, int width, const BlockRange& range, int32_t* columns) const {
		alignas(64) float values[W][blocksTogether * int8Block];
		const int64_t length = minimum(range.count * int8Block, range.end - range.from);
		if (width < W || length < range.count * int8Block) memset(values, 0, sizeof values);
		for (int i = 0; i < width; i++) decodeRow(matrix, row + i, range.from, length, values[i]);
		for (int64_t block = 0; block < range.count; block++, columns += blockWords) {
			const float* rows[W];
			UNROLL for (int i = 0; i < W; i++) rows[i] = values[i] + block * int8Block;
			packBlock(rows, columns);
		}
	}

	static void packBlock(const float* const (&rows)[W], int32_t* columns) {
		RightColumns out(columns);
		const BlockScales scales = quantizeRows(rows, W, [&](int step, CodeWords words) { out.put(step, words); });
		out.end(scales.scale);
	}
};

// A matrix as it is: the depth runs along its rows.
struct Int8DepthAlongRows {
	Matrix matrix;

	// Panels for columns [column, column + columns), `panelStride` words apart.
	void pack(
		int64_t column, int64_t columns, const BlockRange& range, int32_t* panels, int64_t panelStride) const {
		alignas(64) float values[int8Block][width];
		for (int64_t block = 0; block < range.count; block++) {
			const int64_t row = range.fromElement(block);
			const int64_t length = range.lengthOf(block);
			for (int64_t c = 0; c < columns; c += width) {
				const int64_t existing = minimum(width, columns - c);
				const auto target = [&](int64_t v) {
					return panels + (c + v) / tileColumns * panelStride + (c + v) % tileColumns + block * blockWords;
				};
				if (widensAtOnce && matrix.storage == Storage::bf16 && length == int8Block && existing % W == 0) {
					const int64_t stride = matrix.columns;
					const auto* from = static_cast<const uint16_t*>(matrix.data) + matrix.first + row * stride + column + c;
					for (int64_t v = 0; v < existing; v += W) {
						// Rows lie too far apart for the processor to see which come next.
						for (int i = 0; i < int8Block; i++) __builtin_prefetch(from + (int8Block + i) * stride + v);
						packBlock([&](int i) { return loadBf16(from + i * stride + v); }, target(v));
					}
					continue;
				}
				if (existing < width || length < int8Block) memset(values, 0, sizeof values);
				for (int64_t i = 0; i < length; i++) decodeRow(matrix, row + i, column + c, existing, values[i]);
				for (int64_t v = 0; v < existing; v += W) {
					packBlock([&](int i) { return load(values[i] + v); }, target(v));
				}
			}
		}
	}

private:
	// Columns that are decoded at once: enough to make up for the call, and not more than the first-level cache holds.
	static constexpr int64_t width = 128;
	// Where widening bfloat16 takes an instruction or two, twice is less than writing it down.
	static constexpr bool widensAtOnce = W > 4;

	// W columns of a block; rowOf(i): their elements in row i of it.
	template <typename RowOf>
	static void packBlock(const RowOf& rowOf, int32_t* columns) {
		CodeWords largest = {};
		for (int i = 0; i < int8Block; i++) largest = larger(largest, magnitude(rowOf(i)));
		const BlockScales scales = scalesOf(vf(largest));
		RightColumns out(columns);
		UNROLL for (int step = 0; step < stepsPerBlock; step++) {
			const int first = step * codesPerStep;
#if defined(SIMD_BYTE_CODES)
			const CodeWords bytes = packBytes(
				rowOf(first) * scales.inverse, rowOf(first + 1) * scales.inverse, rowOf(first + 2) * scales.inverse,
				rowOf(first + 3) * scales.inverse);
			out.put(step, columnsOfBytes(bytes));
#else
			const CodeWords low = codeOfLanes(rowOf(first) * scales.inverse);
			const CodeWords high = codeOfLanes(rowOf(first + 1) * scales.inverse);
			out.put(step, (low & 0xffff) | high << 16);
#endif
		}
		out.end(scales.scale);
	}
};

}  // namespace vulntune::ISA
