// Dropout by a counter-based generator: which elements are kept is a function of seed, stream and the element's index,
// so the backward pass and any other thread draw the same mask.
#pragma once
#if defined(SIMD_GENERIC) && defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "loops.h"

namespace vulntune::ISA {

struct DropoutMask {
	uint32_t key0;
	uint32_t key1;
	uint32_t stream;
	// Numbers of 16 bits from here on keep their element.
	uint32_t threshold;
	// 1 / (1 - probability)
	float keptFactor;
};

// `seed` is an integer below 2^53, 0 ≤ probability < 1.
inline DropoutMask makeDropoutMask(double seed, double stream, double probability) {
	const uint64_t bits = static_cast<uint64_t>(seed);
	return {
		static_cast<uint32_t>(bits),
		static_cast<uint32_t>(bits >> 32),
		static_cast<uint32_t>(static_cast<uint64_t>(stream)),
		static_cast<uint32_t>(probability * 65536.0 + 0.5),
		static_cast<float>(1.0 / (1.0 - probability)),
	};
}

// 64-bit lanes; the lower half of each is one word of a generator's state, and the upper half means nothing.
using Words = uint64_t __attribute__((vector_size(W * 4)));
constexpr int wordLanes = W / 2;

// Products of the lower halves.
inline Words multiplyLow(Words a, Words b) {
#if defined(SIMD_AVX512)
	return (Words)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(SIMD_AVX2)
	return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
	return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
	return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// The four words of wordLanes counters (counter, stream, 0, 0), by Philox4x32-10 (Salmon et al. 2011).
inline void philox(Words counters, const DropoutMask& mask, Words (&words)[4]) {
	const Words multiplier0 = Words{} + 0xd2511f53u;
	const Words multiplier1 = Words{} + 0xcd9e8d57u;
	Words c0 = counters;
	Words c1 = Words{} + mask.stream;
	Words c2 = {};
	Words c3 = {};
	uint32_t key0 = mask.key0;
	uint32_t key1 = mask.key1;
	for (int round = 0; round < 10; round++) {
		const Words product0 = multiplyLow(c0, multiplier0);
		const Words product1 = multiplyLow(c2, multiplier1);
		c0 = (product1 >> 32) ^ c1 ^ (Words{} + key0);
		c1 = product1;
		c2 = (product0 >> 32) ^ c3 ^ (Words{} + key1);
		c3 = product0;
		key0 += 0x9e3779b9;
		key1 += 0xbb67ae85;
	}
	words[0] = c0;
	words[1] = c1;
	words[2] = c2;
	words[3] = c3;
}

// Lanes a0 b0 a1 b1 … of the first halves of two vectors, and of the second halves.
#if defined(SIMD_AVX512)
#define FIRST_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define SECOND_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#elif defined(SIMD_AVX2)
#define FIRST_HALVES 0, 4, 1, 5
#define SECOND_HALVES 2, 6, 3, 7
#else
#define FIRST_HALVES 0, 2
#define SECOND_HALVES 1, 3
#endif
#if defined(__clang__)
inline Words interleaveFirst(Words a, Words b) { return __builtin_shufflevector(a, b, FIRST_HALVES); }
inline Words interleaveSecond(Words a, Words b) { return __builtin_shufflevector(a, b, SECOND_HALVES); }
#else
inline Words interleaveFirst(Words a, Words b) { return __builtin_shuffle(a, b, Words{FIRST_HALVES}); }
inline Words interleaveSecond(Words a, Words b) { return __builtin_shuffle(a, b, Words{SECOND_HALVES}); }
#endif
#undef FIRST_HALVES
#undef SECOND_HALVES

// Elements that a counter's four words decide on, 16 bits each.
constexpr int counterElements = 8;
// Elements that `dropoutFactors` makes at a time.
constexpr int dropoutGroup = counterElements * wordLanes;

// 0 or mask.keptFactor for the elements first … first + dropoutGroup - 1 of the tensor; first is a multiple of
// counterElements.
inline void dropoutFactors(vf (&factors)[4], uint64_t first, const DropoutMask& mask) {
	using Unsigned = uint32_t __attribute__((vector_size(W * 4)));
	using Halves = uint16_t __attribute__((vector_size(W * 2)));
	Words lane;
	for (int i = 0; i < wordLanes; i++) lane[i] = i;
	Words words[4];
	philox(lane + static_cast<uint32_t>(first / counterElements), mask, words);
	// Elements go counter by counter, each with its four words, each of these with its lower half first.
	const Words front = (words[0] & 0xffffffffu) | words[1] << 32;
	const Words back = (words[2] & 0xffffffffu) | words[3] << 32;
	alignas(64) uint16_t numbers[dropoutGroup];
	const Words ordered[2] = {interleaveFirst(front, back), interleaveSecond(front, back)};
	memcpy(numbers, ordered, sizeof numbers);
	UNROLL for (int i = 0; i < 4; i++) {
		Halves halves;
		memcpy(&halves, numbers + i * W, sizeof halves);
		const Unsigned wide = __builtin_convertvector(halves, Unsigned);
		factors[i] = wide >= mask.threshold ? splat(mask.keptFactor) : zero();
	}
}

// factor · x, and 0 for a dropped element even where x is infinite.
inline vf dropElements(vf x, vf factor) { return factor == zero() ? zero() : factor * x; }

// y[i] = dropout of x[i] for the elements first + i of the tensor, i < count. y may be x.
inline void dropoutRun(float* y, const float* x, uint64_t first, int64_t count, const DropoutMask& mask) {
	vf factors[4];
	int64_t done = 0;
	while (done < count) {
		const int64_t skip = (first + done) % counterElements;
		const int64_t here = minimum<int64_t>(dropoutGroup - skip, count - done);
		dropoutFactors(factors, first + done - skip, mask);
		const float* from = x + done;
		float* to = y + done;
		if (here == dropoutGroup) {
			UNROLL for (int i = 0; i < 4; i++) store(to + i * W, dropElements(load(from + i * W), factors[i]));
		} else {
			float stored[dropoutGroup];
			for (int i = 0; i < 4; i++) store(stored + i * W, factors[i]);
			forVectors(0, here, [&](int64_t i, auto n) {
				store(to + i, dropElements(load(from + i, n), load(stored + skip + i, n)), n);
			});
		}
		done += here;
	}
}

static void dropout(
	Pool& pool, float* y, const float* x, int64_t length, double seed, double stream, double probability) {
	const DropoutMask mask = makeDropoutMask(seed, stream, probability);
	inPieces(pool, length, elementsPerTask, [&](int64_t begin, int64_t end) {
		dropoutRun(y + begin, x + begin, begin, end - begin, mask);
	});
}

}  // namespace vulntune::ISA
