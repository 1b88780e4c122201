// W × W transposition in registers.
#pragma once
#include "../simd.h"

namespace vulntune::ISA {

// Lanes a0 b0 a1 b1 … of the first halves of two vectors, and of the second halves.
#if defined(SIMD_AVX512)
#define INTERLEAVE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define INTERLEAVE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif defined(SIMD_AVX2)
#define INTERLEAVE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define INTERLEAVE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define INTERLEAVE_LOW 0, 4, 1, 5
#define INTERLEAVE_HIGH 2, 6, 3, 7
#endif

#if defined(__clang__)
inline vf interleaveLow(vf a, vf b) { return __builtin_shufflevector(a, b, INTERLEAVE_LOW); }
inline vf interleaveHigh(vf a, vf b) { return __builtin_shufflevector(a, b, INTERLEAVE_HIGH); }
#else
using ShuffleIndices = int32_t __attribute__((vector_size(W * 4)));
inline vf interleaveLow(vf a, vf b) { return __builtin_shuffle(a, b, ShuffleIndices{INTERLEAVE_LOW}); }
inline vf interleaveHigh(vf a, vf b) { return __builtin_shuffle(a, b, ShuffleIndices{INTERLEAVE_HIGH}); }
#endif
#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH

// Lane j of row i becomes lane i of row j: log2(W) rounds of a perfect shuffle of the W² numbers.
inline __attribute__((always_inline)) void transpose(vf (&rows)[W]) {
	vf other[W];
	UNROLL for (int distance = 1; distance < W; distance *= 2) {
		UNROLL for (int i = 0; i < W / 2; i++) {
			other[2 * i] = interleaveLow(rows[i], rows[i + W / 2]);
			other[2 * i + 1] = interleaveHigh(rows[i], rows[i + W / 2]);
		}
		UNROLL for (int i = 0; i < W; i++) rows[i] = other[i];
	}
}

}  // namespace vulntune::ISA
