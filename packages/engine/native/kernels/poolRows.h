// Mean or maximum of the rows of each function: x [T, H], ranges [F, 2R] → y [F, H]. A function's rows are those of its R
// ranges; functions may share rows, so the gradients go through them in order, each task for columns of its own.
#pragma once
#include "loops.h"
#include "math.h"

namespace vulntune::ISA {

struct PooledRanges {
	const int32_t* ranges;
	int64_t perFunction;

	// Calls body(row) for the rows of function f in their order.
	template <typename Body>
	void forRowsOf(int64_t f, Body&& body) const {
		const int32_t* own = ranges + 2 * perFunction * f;
		for (int64_t r = 0; r < perFunction; r++) {
			for (int64_t row = own[2 * r]; row < own[2 * r + 1]; row++) body(row);
		}
	}

	// 1 / rows of function f.
	float shareOf(int64_t f) const {
		int64_t rows = 0;
		forRowsOf(f, [&](int64_t) { rows++; });
		return 1.0f / static_cast<float>(rows);
	}
};

static void meanOfRows(
	Pool& pool,
	float* y,
	const float* x,
	const int32_t* ranges,
	int64_t functions,
	int64_t rangesPerFunction,
	int64_t width) {
	const PooledRanges pooled = {ranges, rangesPerFunction};
	pool.run(functions, [=](int64_t f, int) {
		const vf share = splat(pooled.shareOf(f));
		forVectors(0, width, [=](int64_t i, auto n) {
			vf total = zero();
			pooled.forRowsOf(f, [&](int64_t row) { total = total + load(x + row * width + i, n); });
			store(y + f * width + i, total * share, n);
		});
	});
}

static void meanOfRowsBackward(
	Pool& pool,
	float* dx,
	const float* dy,
	const int32_t* ranges,
	int64_t functions,
	int64_t rangesPerFunction,
	int64_t width) {
	const PooledRanges pooled = {ranges, rangesPerFunction};
	inPieces(pool, width, columnsPerTask, [=](int64_t begin, int64_t end) {
		for (int64_t f = 0; f < functions; f++) {
			const vf share = splat(pooled.shareOf(f));
			pooled.forRowsOf(f, [=](int64_t row) {
				float* to = dx + row * width;
				forVectors(begin, end, [=](int64_t i, auto n) {
					store(to + i, fma(share, load(dy + f * width + i, n), load(to + i, n)), n);
				});
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
	int64_t rangesPerFunction,
	int64_t width) {
	const PooledRanges pooled = {ranges, rangesPerFunction};
	pool.run(functions, [=](int64_t f, int) {
		forVectors(0, width, [=](int64_t i, auto n) {
			vf best = zero();
			vint where = vint{} - 1;
			pooled.forRowsOf(f, [&](int64_t row) {
				const vf value = load(x + row * width + i, n);
				const vint isBetter = (where < 0) | (value > best);
				where = isBetter ? vint{} + static_cast<int32_t>(row) : where;
				best = isBetter ? value : best;
			});
			store(y + f * width + i, best, n);
			memcpy(argmax + f * width + i, &where, n * sizeof(int32_t));
		});
	});
}

static void maxOfRowsBackward(
	Pool& pool, float* dx, const float* dy, const int32_t* argmax, int64_t functions, int64_t width) {
	inPieces(pool, width, columnsPerTask, [=](int64_t begin, int64_t end) {
		for (int64_t f = 0; f < functions; f++) {
			for (int64_t i = begin; i < end; i++) dx[argmax[f * width + i] * width + i] += dy[f * width + i];
		}
	});
}

}  // namespace vulntune::ISA
