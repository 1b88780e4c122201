// Philox4x32-10 (Salmon et al. 2011), and the mask of dropout that the contract makes of it.
#pragma once
#include "../language.cuh"

struct Random {
	Word words[4];
};

static __device__ __forceinline__ Random philox(Word counter, Word stream, Word key0, Word key1) {
	Word c0 = counter, c1 = stream, c2 = 0, c3 = 0;
#pragma unroll
	for (int round = 0; round < 10; round++) {
		const Word high0 = __umulhi(0xd2511f53u, c0), low0 = 0xd2511f53u * c0;
		const Word high1 = __umulhi(0xcd9e8d57u, c2), low1 = 0xcd9e8d57u * c2;
		c0 = high1 ^ c1 ^ key0;
		c1 = low1;
		c2 = high0 ^ c3 ^ key1;
		c3 = low0;
		key0 += 0x9e3779b9u;
		key1 += 0xbb67ae85u;
	}
	return {{c0, c1, c2, c3}};
}

/** What dropout needs to know; a threshold of 0 keeps everything. */
struct Mask {
	Word key0, key1, stream, threshold;
	float keptScale;
};

/** Factor of element i of those of one counter (0 to 7): 16 bits each, the lower half of a word first. */
static __device__ __forceinline__ float keptFactor(const Random& random, int i, const Mask& mask) {
	const Word bits = (random.words[i / 2] >> (16 * (i % 2))) & 0xffffu;
	return bits >= mask.threshold ? mask.keptScale : 0.0f;
}

/** Factor of one element by its index. */
static __device__ __forceinline__ float keptFactor(Count index, const Mask& mask) {
	if (mask.threshold == 0) return mask.keptScale;
	return keptFactor(philox(static_cast<Word>(index >> 3), mask.stream, mask.key0, mask.key1), static_cast<int>(index & 7), mask);
}
