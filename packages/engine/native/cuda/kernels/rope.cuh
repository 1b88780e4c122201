// Rotary position embedding (Su et al. 2021) in Hugging Face's order of pairs.
#pragma once
#include "element.cuh"

/** A thread a pair (i, i + half) of x [T, heads × D], or one of the elements after these, which stay; cos, sin [T, half]. */
template <class Element>
static __device__ __forceinline__ void turnPair(Element* y, const Element* x, const float* cosines, const float* sines, int tokens, int heads,
												int headDim, int half, float direction) {
	const Word each = headDim - half, pair = static_cast<Word>(threadInGrid());
	if (pair >= static_cast<Word>(tokens) * heads * each) return;
	const Word i = pair % each, head = pair / each;
	const Count start = static_cast<Count>(head) * headDim;
	if (i >= half) {
		y[start + half + i] = x[start + half + i];
		return;
	}
	const Count angle = head / heads * half + i, first = start + i, second = first + half;
	const float cosine = cosines[angle], sine = direction * sines[angle];
	const float a = floatOf(x[first]), b = floatOf(x[second]);
	store(y + first, a * cosine - b * sine, 0);
	store(y + second, b * cosine + a * sine, 0);
}

#define ROPE_KERNEL(suffix, Element) \
	KERNEL rope##suffix(Element* y, const Element* x, const float* cosines, const float* sines, int tokens, int heads, int headDim, int half, float direction) { \
		turnPair(y, x, cosines, sines, tokens, heads, headDim, half, direction); \
	}
FOR_ELEMENTS(ROPE_KERNEL)
#undef ROPE_KERNEL
