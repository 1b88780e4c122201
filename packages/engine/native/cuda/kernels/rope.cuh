// Rotary position embedding (Su et al. 2021) in Hugging Face's order of pairs.
#pragma once
#include "../language.cuh"

/** A thread a pair (i, i + D/2) of x [T, heads × D]; cos, sin [T, D/2]. */
KERNEL rope(float* y, const float* x, const float* cosines, const float* sines, int tokens, int heads, int half, float direction) {
	const Count pair = threadInGrid();
	if (pair >= static_cast<Count>(tokens) * heads * half) return;
	const int i = static_cast<int>(pair % half);
	const Count head = pair / half;
	const Count angle = head / heads * half + i, first = head * 2 * half + i, second = first + half;
	const float cosine = cosines[angle], sine = direction * sines[angle];
	const float a = x[first], b = x[second];
	y[first] = a * cosine - b * sine;
	y[second] = b * cosine + a * sine;
}
