// Rotary position embedding (Su et al. 2021) on the pairs (i, i + half) of each head, whose other elements stay as they are.
#pragma once
#include "loops.h"

namespace vulntune::ISA {

// x, y [rows, heads × headDim]; cosine, sine [rows, half]. The inverse rotation is the gradient.
static void rope(
	Pool& pool,
	float* y,
	const float* x,
	const float* cosine,
	const float* sine,
	int64_t rows,
	int64_t heads,
	int64_t headDim,
	int64_t half,
	bool inverse) {
	const vf sign = splat(inverse ? -1.0f : 1.0f);
	forRows(pool, rows, heads * headDim, [=](int64_t row) {
		const float* c = cosine + row * half;
		const float* s = sine + row * half;
		for (int64_t head = 0; head < heads; head++) {
			const int64_t start = (row * heads + head) * headDim;
			forVectors(0, half, [=](int64_t i, auto n) {
				const vf first = load(x + start + i, n);
				const vf second = load(x + start + half + i, n);
				const vf cos = load(c + i, n);
				const vf sin = load(s + i, n) * sign;
				store(y + start + i, first * cos - second * sin, n);
				store(y + start + half + i, second * cos + first * sin, n);
			});
			forVectors(2 * half, headDim, [=](int64_t i, auto n) {
				store(y + start + i, load(x + start + i, n), n);
			});
		}
	});
}

}  // namespace vulntune::ISA
