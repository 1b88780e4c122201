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
	const Word low = i < 2 ? random.words[0] : random.words[1], high = i < 6 ? random.words[2] : random.words[3];
	const Word bits = ((i < 4 ? low : high) >> (16 * (i % 2))) & 0xffffu;
	return bits >= mask.threshold ? mask.keptScale : 0.0f;
}

static __device__ __forceinline__ Random randomOf(Count counter, const Mask& mask) {
	return philox(static_cast<Word>(counter), mask.stream, mask.key0, mask.key1);
}

/** values × the factors of the elements from `index` on. */
static __device__ __forceinline__ void dropEight(float (&values)[8], Count index, const Mask& mask) {
	if (mask.threshold == 0) return;
	const int before = static_cast<int>(index & 7);
	const Random first = randomOf(index >> 3, mask);
	if (before == 0) {
#pragma unroll
		for (int i = 0; i < 8; i++) values[i] *= keptFactor(first, i, mask);
		return;
	}
	const Random second = randomOf((index >> 3) + 1, mask);
#pragma unroll
	for (int i = 0; i < 8; i++) {
		const int at = before + i;
		values[i] *= at < 8 ? keptFactor(first, at, mask) : keptFactor(second, at - 8, mask);
	}
}
