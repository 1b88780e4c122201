// Mean or maximum of the rows of each function: x [T, H], ranges [F, 2] → y [F, H].
#pragma once
#include "loops.h"
#include "math.h"

namespace vulntune::ISA {

static void meanOfRows(
	Pool& pool, float* y, const float* x, const int32_t* ranges, int64_t functions, int64_t width) {
	pool.run(functions, [=](int64_t f, int) {
		const int64_t first = ranges[2 * f];
		const int64_t last = ranges[2 * f + 1];
		const vf share = splat(1.0f / static_cast<float>(last - first));
		forVectors(0, width, [=](int64_t i, auto n) {
			vf total = zero();
			for (int64_t row = first; row < last; row++) total = total + load(x + row * width + i, n);
			store(y + f * width + i, total * share, n);
		});
	});
}

static void meanOfRowsBackward(
	Pool& pool, float* dx, const float* dy, const int32_t* ranges, int64_t functions, int64_t width) {
	pool.run(functions, [=](int64_t f, int) {
		const int64_t first = ranges[2 * f];
		const int64_t last = ranges[2 * f + 1];
		const vf share = splat(1.0f / static_cast<float>(last - first));
		for (int64_t row = first; row < last; row++) {
			float* to = dx + row * width;
			forVectors(0, width, [=](int64_t i, auto n) {
				store(to + i, fma(share, load(dy + f * width + i, n), load(to + i, n)), n);
			});
		}
	});
}

// argmax [F, H] gets the first row that holds the maximum.
static void maxOfRows(
	Pool& pool,
	float* y,
	int32_t* argmax,
	const float* x,
	const int32_t* ranges,
	int64_t functions,
	int64_t width) {
	pool.run(functions, [=](int64_t f, int) {
		const int32_t first = ranges[2 * f];
		const int32_t last = ranges[2 * f + 1];
		forVectors(0, width, [=](int64_t i, auto n) {
			vf best = load(x + first * width + i, n);
			vint where = vint{} + first;
			for (int32_t row = first + 1; row < last; row++) {
				const vf value = load(x + row * width + i, n);
				where = value > best ? vint{} + row : where;
				best = value > best ? value : best;
			}
			store(y + f * width + i, best, n);
			memcpy(argmax + f * width + i, &where, n * sizeof(int32_t));
		});
	});
}

static void maxOfRowsBackward(
	Pool& pool, float* dx, const float* dy, const int32_t* argmax, int64_t functions, int64_t width) {
	pool.run(functions, [=](int64_t f, int) {
		for (int64_t i = 0; i < width; i++) {
			dx[argmax[f * width + i] * width + i] += dy[f * width + i];
		}
	});
}

}  // namespace vulntune::ISA
