// Root mean square normalisation (Zhang & Sennrich 2019): y = x · rstd · weight, rstd = 1 / √(mean x² + epsilon).
#pragma once
#include "loops.h"

namespace vulntune::ISA {

// Σ over a row, in vectors: the lanes are added in the end, always in the same order.
template <typename Value>
inline float sumOfRow(int64_t width, Value&& value) {
	vf total = zero();
	forVectors(0, width, [&](int64_t i, auto n) { total = total + value(i, n); });
	return sum(total);
}

inline float reciprocalRoot(double x) { return static_cast<float>(1.0 / __builtin_sqrt(x)); }

static void rmsNorm(
	Pool& pool,
	float* y,
	float* rstd,
	const float* x,
	const float* weight,
	int64_t rows,
	int64_t width,
	double epsilon) {
	forRows(pool, rows, width, [=](int64_t row) {
		const float* from = x + row * width;
		float* to = y + row * width;
		const float squares = sumOfRow(width, [=](int64_t i, auto n) {
			const vf value = load(from + i, n);
			return value * value;
		});
		rstd[row] = reciprocalRoot(static_cast<double>(squares) / width + epsilon);
		const vf factor = splat(rstd[row]);
		forVectors(0, width, [=](int64_t i, auto n) {
			store(to + i, load(from + i, n) * factor * load(weight + i, n), n);
		});
	});
}

// dx = rstd · (g - x · rstd² · mean(g · x)) with g = dy · weight.
static void rmsNormBackward(
	Pool& pool,
	float* dx,
	bool accumulate,
	const float* x,
	const float* rstd,
	const float* weight,
	const float* dy,
	int64_t rows,
	int64_t width) {
	forRows(pool, rows, width, [=](int64_t row) {
		const float* input = x + row * width;
		const float* gradient = dy + row * width;
		float* to = dx + row * width;
		const float product = sumOfRow(width, [=](int64_t i, auto n) {
			return load(gradient + i, n) * load(weight + i, n) * load(input + i, n);
		});
		const float r = rstd[row];
		const vf factor = splat(r);
		const vf pull = splat(-r * r * r * (product / width));
		forVectors(0, width, [=](int64_t i, auto n) {
			const vf own = load(gradient + i, n) * load(weight + i, n) * factor;
			const vf value = fma(pull, load(input + i, n), own);
			store(to + i, accumulate ? value + load(to + i, n) : value, n);
		});
	});
}

// dWeight = Σ_row dy · x · rstd.
static void rmsNormWeightBackward(
	Pool& pool,
	float* dWeight,
	bool accumulate,
	const float* x,
	const float* rstd,
	const float* dy,
	int64_t rows,
	int64_t width) {
	sumOverRows(pool, dWeight, accumulate, rows, width, [=](int64_t row, int64_t column, auto n) {
		const int64_t i = row * width + column;
		return load(dy + i, n) * load(x + i, n) * splat(rstd[row]);
	});
}

}  // namespace vulntune::ISA
