// Layer normalisation (Ba et al. 2016): y = (x - mean) · rstd · weight + bias, rstd = 1 / √(variance + epsilon).
#pragma once
#include "loops.h"
#include "rmsNorm.h"

namespace vulntune::ISA {

// `bias` may be null.
static void layerNorm(
	Pool& pool,
	float* y,
	float* mean,
	float* rstd,
	const float* x,
	const float* weight,
	const float* bias,
	int64_t rows,
	int64_t width,
	double epsilon) {
	forRows(pool, rows, width, [=](int64_t row) {
		const float* from = x + row * width;
		float* to = y + row * width;
		const float average = sumOfRow(width, [=](int64_t i, auto n) { return load(from + i, n); }) / width;
		float squares = 0;
		{
			// Lanes past the end of the row would count as -average, so they are left out.
			vf total = zero();
			int64_t i = 0;
			for (; i + W <= width; i += W) {
				const vf centred = load(from + i) - splat(average);
				total = fma(centred, centred, total);
			}
			squares = sum(total);
			for (; i < width; i++) squares += (from[i] - average) * (from[i] - average);
		}
		mean[row] = average;
		rstd[row] = reciprocalRoot(static_cast<double>(squares) / width + epsilon);
		const vf factor = splat(rstd[row]);
		forVectors(0, width, [=](int64_t i, auto n) {
			const vf value = (load(from + i, n) - splat(average)) * factor * load(weight + i, n);
			store(to + i, bias == nullptr ? value : value + load(bias + i, n), n);
		});
	});
}

// dx = rstd · (g - mean g - x̂ · mean(g · x̂)) with g = dy · weight and x̂ = (x - mean) · rstd.
static void layerNormBackward(
	Pool& pool,
	float* dx,
	bool accumulate,
	const float* x,
	const float* mean,
	const float* rstd,
	const float* weight,
	const float* dy,
	int64_t rows,
	int64_t width) {
	forRows(pool, rows, width, [=](int64_t row) {
		const float* input = x + row * width;
		const float* gradient = dy + row * width;
		float* to = dx + row * width;
		const vf centre = splat(mean[row]);
		const vf factor = splat(rstd[row]);
		const vf meanGradient = splat(sumOfRow(width, [=](int64_t i, auto n) {
			return load(gradient + i, n) * load(weight + i, n);
		}) / width);
		const vf meanProduct = splat(sumOfRow(width, [=](int64_t i, auto n) {
			return load(gradient + i, n) * load(weight + i, n) * ((load(input + i, n) - centre) * factor);
		}) / width);
		forVectors(0, width, [=](int64_t i, auto n) {
			const vf normal = (load(input + i, n) - centre) * factor;
			const vf own = load(gradient + i, n) * load(weight + i, n) - meanGradient;
			const vf value = factor * (own - normal * meanProduct);
			store(to + i, accumulate ? value + load(to + i, n) : value, n);
		});
	});
}

// dWeight = Σ_row dy · x̂. The bias's gradient is `biasBackward`.
static void layerNormWeightBackward(
	Pool& pool,
	float* dWeight,
	bool accumulate,
	const float* x,
	const float* mean,
	const float* rstd,
	const float* dy,
	int64_t rows,
	int64_t width) {
	sumOverRows(pool, dWeight, accumulate, rows, width, [=](int64_t row, int64_t column, auto n) {
		const int64_t i = row * width + column;
		return load(dy + i, n) * ((load(x + i, n) - splat(mean[row])) * splat(rstd[row]));
	});
}

}  // namespace vulntune::ISA
