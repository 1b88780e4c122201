// Frozen matrices into 4 bits an element while they are loaded.
#pragma once
#include "copy.h"
#include "loops.h"
#include "weights.h"

namespace vulntune::ISA {

constexpr int tableSize = 16;
// Blocks of one task.
constexpr int64_t blocksPerTask = elementsPerTask / quantizationBlock;

// Where the neighbours of a sorted codebook meet, rounded to float32: a value's rank is the number of midpoints below it.
struct NearestOf16 {
	float midpoints[tableSize - 1];
	uint8_t codes[tableSize];

	explicit NearestOf16(const float* codebook) {
		// Insertion keeps equal values (FP4's two zeros) in the order of their codes.
		for (int code = 0; code < tableSize; code++) {
			int rank = code;
			for (; rank > 0 && codebook[codes[rank - 1]] > codebook[code]; rank--) codes[rank] = codes[rank - 1];
			codes[rank] = static_cast<uint8_t>(code);
		}
		for (int rank = 0; rank + 1 < tableSize; rank++) {
			midpoints[rank] = (codebook[codes[rank]] + codebook[codes[rank + 1]]) / 2;
		}
	}
};

// One block of 64 floats: its largest magnitude is returned, or a negative number where one is not finite.
inline float quantizeBlock(const NearestOf16& table, const float* x, uint8_t* ranks8) {
	using Ranks = int32_t __attribute__((vector_size(W * 4)));
	using Bytes = uint8_t __attribute__((vector_size(W)));
	vf magnitudes = zero();
	vf zeros = zero();
	UNROLL for (int i = 0; i < quantizationBlock; i += W) {
		const vf value = load(x + i);
		magnitudes = max(max(value, -value), magnitudes);  // of 0 and -0 the second, 0
		zeros = zeros + value * zero();  // NaN for NaN and infinity
	}
	const float magnitude = largest(magnitudes);
	if (sum(zeros) != 0) return -1;
	// 1 / magnitude is infinite for a block of zeros and for numbers below 3e-39: such a block gets the code of 0.
	const float reciprocal = static_cast<float>(1.0 / magnitude);
	const vf inverse = splat(reciprocal > 3.4028235e38f ? 0.0f : reciprocal);
	for (int i = 0; i < quantizationBlock; i += W) {
		const vf scaled = load(x + i) * inverse;
		Ranks ranks = {};
		UNROLL for (int rank = 0; rank + 1 < tableSize; rank++) ranks -= (Ranks)(scaled > splat(table.midpoints[rank]));
		const Bytes bytes = __builtin_convertvector(ranks, Bytes);
		memcpy(ranks8 + i, &bytes, sizeof bytes);
	}
	return magnitude;
}

// The position of the first number that is not finite, or -1.
template <typename Source, typename S>
inline double quantizeTable4(
	Pool& pool, uint8_t* packed, float* absmax, const float* codebook, const S* x, int64_t length) {
	const NearestOf16 table(codebook);
	int64_t firstBad = length;
	inPieces(pool, divideUp(length, quantizationBlock), blocksPerTask, [&](int64_t begin, int64_t end) {
		for (int64_t block = begin; block < end; block++) {
			const int64_t start = block * quantizationBlock;
			const int64_t count = minimum<int64_t>(quantizationBlock, length - start);
			S raw[quantizationBlock] = {};
			float values[quantizationBlock];
			uint8_t ranks[quantizationBlock];
			memcpy(raw, x + start, count * sizeof(S));
			for (int i = 0; i < quantizationBlock; i += W) store(values + i, Source::decode(raw + i));
			absmax[block] = quantizeBlock(table, values, ranks);
			if (absmax[block] < 0) {
				int64_t bad = 0;
				while (values[bad] - values[bad] == 0) bad++;
				int64_t known = __atomic_load_n(&firstBad, __ATOMIC_RELAXED);
				while (start + bad < known &&
					!__atomic_compare_exchange_n(
						&firstBad, &known, start + bad, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
				}
			}
			uint8_t* to = packed + start / 2;
			for (int64_t i = 0; 2 * i < count; i++) {
				to[i] = static_cast<uint8_t>(table.codes[ranks[2 * i]] << 4 | table.codes[ranks[2 * i + 1]]);
			}
		}
	});
	return firstBad == length ? -1 : static_cast<double>(firstBad);
}

static double quantizeTable4F32(
	Pool& pool, uint8_t* packed, float* absmax, const float* codebook, const float* x, int64_t length) {
	return quantizeTable4<F32>(pool, packed, absmax, codebook, x, length);
}

static double quantizeTable4Bf16(
	Pool& pool, uint8_t* packed, float* absmax, const float* codebook, const uint16_t* x, int64_t length) {
	return quantizeTable4<Bf16>(pool, packed, absmax, codebook, x, length);
}

static double quantizeTable4F16(
	Pool& pool, uint8_t* packed, float* absmax, const float* codebook, const uint16_t* x, int64_t length) {
	return quantizeTable4<F16>(pool, packed, absmax, codebook, x, length);
}

}  // namespace vulntune::ISA
