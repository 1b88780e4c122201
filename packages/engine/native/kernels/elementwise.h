#pragma once
#include "loops.h"

namespace vulntune::ISA {

static void fill(Pool& pool, float* target, int64_t length, float value) {
	forElements(pool, length, [=](int64_t i, auto n) { store(target + i, splat(value), n); });
}

static void fillIntegers(Pool& pool, int32_t* target, int64_t length, int32_t value) {
	inPieces(pool, length, elementsPerTask, [=](int64_t begin, int64_t end) {
		for (int64_t i = begin; i < end; i++) target[i] = value;
	});
}

static void add(Pool& pool, float* sum, const float* a, const float* b, int64_t length) {
	forElements(pool, length, [=](int64_t i, auto n) { store(sum + i, load(a + i, n) + load(b + i, n), n); });
}

static void addScaled(Pool& pool, float* target, const float* source, int64_t length, float factor) {
	forElements(pool, length, [=](int64_t i, auto n) {
		store(target + i, fma(splat(factor), load(source + i, n), load(target + i, n)), n);
	});
}

static void scale(Pool& pool, float* target, int64_t length, float factor) {
	forElements(pool, length, [=](int64_t i, auto n) { store(target + i, splat(factor) * load(target + i, n), n); });
}

// y[m, n] = x[m, n] + bias[n]
static void addBias(Pool& pool, float* y, const float* x, const float* bias, int64_t rows, int64_t width) {
	forRows(pool, rows, width, [=](int64_t row) {
		const float* from = x + row * width;
		float* to = y + row * width;
		forVectors(0, width, [=](int64_t i, auto n) { store(to + i, load(from + i, n) + load(bias + i, n), n); });
	});
}

static void biasBackward(
	Pool& pool, float* dBias, bool accumulate, const float* dy, int64_t rows, int64_t width) {
	sumOverRows(pool, dBias, accumulate, rows, width, [=](int64_t row, int64_t column, auto n) {
		return load(dy + row * width + column, n);
	});
}

// row[i] = factor[i] · row[i]
static void scaleRows(Pool& pool, float* x, const float* factor, int64_t rows, int64_t width) {
	forRows(pool, rows, width, [=](int64_t row) {
		float* at = x + row * width;
		const vf f = splat(factor[row]);
		forVectors(0, width, [=](int64_t i, auto n) { store(at + i, f * load(at + i, n), n); });
	});
}

// Σ x² in float64: each of at most 64 parts by itself, then the parts in order.
static double sumOfSquares(Pool& pool, const float* x, int64_t length) {
	constexpr int64_t largestParts = 64;
	const int64_t part = maximum(elementsPerTask, divideUp(divideUp(length, largestParts), W) * W);
	double sums[largestParts];
	const int64_t parts = divideUp(length, part);
	pool.run(parts, [&](int64_t task, int) {
		const int64_t end = minimum(length, (task + 1) * part);
		double lanes[W] = {};
		forVectors(task * part, end, [&](int64_t i, auto n) {
			float values[W];
			store(values, load(x + i, n));
			for (int lane = 0; lane < W; lane++) {
				const double value = values[lane];
				lanes[lane] += value * value;
			}
		});
		double sum = 0;
		for (int lane = 0; lane < W; lane++) sum += lanes[lane];
		sums[task] = sum;
	});
	double total = 0;
	for (int64_t i = 0; i < parts; i++) total += sums[i];
	return total;
}

}  // namespace vulntune::ISA
