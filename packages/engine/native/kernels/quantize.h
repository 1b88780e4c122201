// Matrices into 4 bits an element, and how far what they stand for then lies from what they were.
#pragma once
#include "loops.h"
#include "weights.h"

namespace vulntune::ISA {

constexpr int tableSize = 16;
// Blocks of one task.
constexpr int64_t blocksPerTask = elementsPerTask / quantizationBlock;

// Where the neighbours of a sorted codebook meet, rounded to float32: a value's rank is the number of midpoints below it.
struct NearestOf16 {
	// With an infinite one at the end, so that they fill a vector.
	float midpoints[tableSize];
	uint8_t codes[tableSize];
	// Of two ranks in a byte the two codes; not needed where ranks and codes are the same.
	uint8_t pairs[tableSize * tableSize];
	bool isAscending = true;

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
		midpoints[tableSize - 1] = floatFromBits(0x7f800000);
		for (int first = 0; first < tableSize; first++) {
			isAscending = isAscending && codes[first] == first;
			for (int second = 0; second < tableSize; second++) {
				pairs[first << 4 | second] = static_cast<uint8_t>(codes[first] << 4 | codes[second]);
			}
		}
	}
};

using Ranks = int32_t __attribute__((vector_size(W * 4)));

// The number of midpoints below each of W numbers.
inline Ranks ranksOf(const NearestOf16& table, vf values) {
#if defined(SIMD_AVX512)
	// By halving: `step` midpoints on, of those that are left, lies the one in their middle.
	vi ranks = _mm512_setzero_si512();
	UNROLL for (int step = tableSize / 2; step > 0; step /= 2) {
		const vf middle = _mm512_permutexvar_ps(_mm512_add_epi32(ranks, _mm512_set1_epi32(step - 1)), load(table.midpoints));
		ranks = _mm512_mask_add_epi32(
			ranks, _mm512_cmp_ps_mask(values, middle, _CMP_GT_OQ), ranks, _mm512_set1_epi32(step));
	}
	return (Ranks)ranks;
#else
	Ranks ranks = {};
	UNROLL for (int rank = 0; rank + 1 < tableSize; rank++) ranks -= (Ranks)(values > splat(table.midpoints[rank]));
	return ranks;
#endif
}

// One block of 64 floats: its largest magnitude is returned, or a negative number where one is not finite.
inline float quantizeBlock(const NearestOf16& table, const float* x, uint8_t* ranks8) {
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
	UNROLL for (int i = 0; i < quantizationBlock; i += W) {
		const Bytes bytes = __builtin_convertvector(ranksOf(table, load(x + i) * inverse), Bytes);
		memcpy(ranks8 + i, &bytes, sizeof bytes);
	}
	return magnitude;
}

// Two ranks a byte, the first in its high half.
inline void joinPairs(const uint8_t* ranks, uint8_t* bytes) {
	using Pairs = uint16_t __attribute__((vector_size(W * 2)));
	using Bytes = uint8_t __attribute__((vector_size(W)));
	UNROLL for (int i = 0; i < quantizationBlock / 2; i += W) {
		Pairs pairs;
		memcpy(&pairs, ranks + 2 * i, sizeof pairs);
		const Bytes joined = __builtin_convertvector(pairs << 4 | pairs >> 8, Bytes);
		memcpy(bytes + i, &joined, sizeof joined);
	}
}

// The position of the first number that is not finite, or -1.
static double quantizeTable4(
	Pool& pool, uint8_t* packed, float* absmax, const float* codebook, Storage storage, const void* x, int64_t length) {
	const NearestOf16 table(codebook);
	const Matrix source{storage, x, nullptr, nullptr, length, 0};
	const auto readBlock = [&](int64_t block, float* values) {
		const int64_t start = block * quantizationBlock;
		const int64_t count = minimum<int64_t>(quantizationBlock, length - start);
		if (count < quantizationBlock) memset(values, 0, quantizationBlock * sizeof *values);
		decodeRow(source, 0, start, count, values);
		return count;
	};
	bool allFinite = true;
	inPieces(pool, divideUp(length, quantizationBlock), blocksPerTask, [&](int64_t begin, int64_t end) {
		for (int64_t block = begin; block < end; block++) {
			float values[quantizationBlock];
			uint8_t ranks[quantizationBlock];
			const int64_t count = readBlock(block, values);
			absmax[block] = quantizeBlock(table, values, ranks);
			if (absmax[block] < 0) {
				__atomic_store_n(&allFinite, false, __ATOMIC_RELAXED);
				continue;
			}
			uint8_t bytes[quantizationBlock / 2];
			joinPairs(ranks, bytes);
			if (!table.isAscending) {
				for (uint8_t& byte : bytes) byte = table.pairs[byte];
			}
			memcpy(packed + block * (quantizationBlock / 2), bytes, divideUp(count, 2));
		}
	});
	if (allFinite) return -1;
	// Looked for here, because tasks end in any order.
	int64_t block = 0;
	while (absmax[block] >= 0) block++;
	float values[quantizationBlock];
	readBlock(block, values);
	int64_t bad = 0;
	while (values[bad] - values[bad] == 0) bad++;
	return static_cast<double>(block * quantizationBlock + bad);
}

// Added up in float32 a few to a lane, then in float64.
constexpr int64_t errorsTogether = 1024;
// So that their sums fit the stack; where there is more to add up, a task has more of it.
constexpr int64_t mostErrorTasks = 128;

struct ErrorSums {
	double largest = 0;
	double magnitudes = 0;
	double squares = 0;
	double signal = 0;

	void add(const ErrorSums& other) {
		largest = maximum(largest, other.largest);
		magnitudes += other.magnitudes;
		squares += other.squares;
		signal += other.signal;
	}
};

// Of at most `errorsTogether` numbers: what they are told apart by, and their own squares.
inline ErrorSums errorsOf(const float* original, const float* restored, int64_t length) {
	vf farthest = zero();
	vf magnitudes = zero();
	vf squares = zero();
	vf signal = zero();
	forVectors(0, length, [&](int64_t i, auto n) {
		const vf value = load(original + i, n);
		const vf difference = load(restored + i, n) - value;
		const vf magnitude = max(difference, -difference);
		farthest = max(magnitude, farthest);
		magnitudes = magnitudes + magnitude;
		squares = fma(difference, difference, squares);
		signal = fma(value, value, signal);
	});
	return {largest(farthest), sum(magnitudes), sum(squares), sum(signal)};
}

// errors [4] = the largest |restored - x|, Σ |restored - x|, Σ (restored - x)² and Σ x².
static void table4Errors(
	Pool& pool, float* errors, const uint8_t* codes, const float* absmax, const float* codebook, Storage storage,
	const void* x, int64_t length) {
	const Matrix quantized{Storage::table4, codes, absmax, codebook, length, 0};
	const Matrix source{storage, x, nullptr, nullptr, length, 0};
	const int64_t grain = maximum(elementsPerTask, divideUp(length, mostErrorTasks * errorsTogether) * errorsTogether);
	ErrorSums ofTasks[mostErrorTasks];
	inPieces(pool, length, grain, [&](int64_t begin, int64_t end) {
		ErrorSums sums;
		for (int64_t start = begin; start < end; start += errorsTogether) {
			const int64_t count = minimum(errorsTogether, end - start);
			float original[errorsTogether];
			float restored[errorsTogether];
			decodeRow(source, 0, start, count, original);
			decodeRow(quantized, 0, start, count, restored);
			sums.add(errorsOf(original, restored, count));
		}
		ofTasks[begin / grain] = sums;
	});
	ErrorSums total;
	for (const ErrorSums& sums : ofTasks) total.add(sums);
	const double parts[] = {total.largest, total.magnitudes, total.squares, total.signal};
	for (int i = 0; i < 4; i++) errors[i] = static_cast<float>(parts[i]);
}

}  // namespace vulntune::ISA
