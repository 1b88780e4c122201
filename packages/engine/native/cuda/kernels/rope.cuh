// Rotary position embedding (Su et al. 2021) in Hugging Face's order of pairs.
#pragma once
#include "../language.cuh"

/** A thread a pair (i, i + D/2) of x [T, heads × D]; cos, sin [T, D/2]. */
KERNEL rope(float* y, const float* x, const float* cosines, const float* sines, int tokens, int heads, int half, float direction) {
	const Word pair = static_cast<Word>(threadInGrid());
	if (pair >= static_cast<Word>(tokens) * heads * half) return;
	const Word i = pair % half, head = pair / half;
	const Count angle = head / heads * half + i, first = static_cast<Count>(head) * 2 * half + i, second = first + half;
	const float cosine = cosines[angle], sine = direction * sines[angle];
	const float a = x[first], b = x[second];
	y[first] = a * cosine - b * sine;
	y[second] = b * cosine + a * sine;
}
