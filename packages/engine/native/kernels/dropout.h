// Dropout by a counter-based generator: which elements are kept is a function of seed, stream and the element's index,
// so the backward pass and any other thread draw the same mask.
#pragma once
#include "loops.h"
#include "math.h"

namespace vulntune::ISA {

struct DropoutMask {
	uint32_t key0;
	uint32_t key1;
	uint32_t stream;
	// Words from here on keep their element.
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
		static_cast<uint32_t>(static_cast<uint64_t>(probability * 4294967296.0)),
		static_cast<float>(1.0 / (1.0 - probability)),
	};
}

using PhiloxLanes = uint32_t __attribute__((vector_size(W * 4)));
using PhiloxProducts = uint64_t __attribute__((vector_size(W * 4)));

// Philox4x32-10 (Salmon et al. 2011) of W counters at once. A counter is (block, stream, 0, 0).
struct PhiloxWords {
	PhiloxLanes word[4];
};

// The low and high halves of x · factor, lane by lane, from products of even and odd lanes.
inline void multiplyWide(PhiloxLanes x, uint32_t factor, PhiloxLanes& low, PhiloxLanes& high) {
	const PhiloxProducts pairs = (PhiloxProducts)x;
	const PhiloxProducts even = (pairs & 0xffffffffu) * uint64_t{factor};
	const PhiloxProducts odd = (pairs >> 32) * uint64_t{factor};
	low = x * factor;
	high = (PhiloxLanes)((even >> 32) | (odd & 0xffffffff00000000u));
}

inline PhiloxWords philox(PhiloxLanes block, const DropoutMask& mask) {
	PhiloxLanes c0 = block;
	PhiloxLanes c1 = PhiloxLanes{} + mask.stream;
	PhiloxLanes c2 = {};
	PhiloxLanes c3 = {};
	uint32_t k0 = mask.key0;
	uint32_t k1 = mask.key1;
	for (int round = 0; round < 10; round++) {
		PhiloxLanes low0, high0, low1, high1;
		multiplyWide(c0, 0xd2511f53, low0, high0);
		multiplyWide(c2, 0xcd9e8d57, low1, high1);
		c0 = high1 ^ c1 ^ k0;
		c1 = low1;
		c2 = high0 ^ c3 ^ k1;
		c3 = low0;
		k0 += 0x9e3779b9;
		k1 += 0xbb67ae85;
	}
	return {{c0, c1, c2, c3}};
}

// Elements that `dropoutFactors` makes at a time.
constexpr int dropoutGroup = 4 * W;

// factors[i] = 0 or mask.keptFactor for the elements first + i of the tensor, i < dropoutGroup; first is a multiple of 4.
inline void dropoutFactors(float* factors, uint64_t first, const DropoutMask& mask) {
	PhiloxLanes block;
	for (int lane = 0; lane < W; lane++) block[lane] = lane;
	const PhiloxWords words = philox(block + static_cast<uint32_t>(first / 4), mask);
	uint32_t rows[4][W];
	for (int j = 0; j < 4; j++) memcpy(rows[j], &words.word[j], sizeof rows[j]);
	for (int lane = 0; lane < W; lane++) {
		for (int j = 0; j < 4; j++) factors[4 * lane + j] = rows[j][lane] >= mask.threshold ? mask.keptFactor : 0.0f;
	}
}

// y[i] = dropout of x[i] for the elements first + i of the tensor, i < count. y may be x.
inline void dropoutRun(float* y, const float* x, uint64_t first, int64_t count, const DropoutMask& mask) {
	float factors[dropoutGroup];
	int64_t done = 0;
	while (done < count) {
		const uint64_t element = first + done;
		const int64_t skip = element % 4;
		dropoutFactors(factors, element - skip, mask);
		const int64_t here = minimum<int64_t>(dropoutGroup - skip, count - done);
		forVectors(0, here, [&](int64_t i, auto n) {
			const vf factor = load(factors + skip + i, n);
			// A dropped element is 0 even where x is infinite.
			store(y + done + i, factor == zero() ? zero() : factor * load(x + done + i, n), n);
		});
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
