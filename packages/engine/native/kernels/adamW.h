// AdamW (Loshchilov & Hutter 2019) over flat buffers.
#pragma once
#include "loops.h"

namespace vulntune::ISA {

// p ← p · keep - stepSize · m / (√v / rootOfCorrection + epsilon) after m and v took in gradientScale · gradient. `keep`
// is 1 - rate · decay, stepSize = rate / (1 - beta1^step), rootOfCorrection = √(1 - beta2^step).
static void adamW(
	Pool& pool,
	float* parameters,
	const float* gradients,
	float* firstMoment,
	float* secondMoment,
	int64_t length,
	double beta1,
	double beta2,
	double epsilon,
	double keep,
	double stepSize,
	double rootOfCorrection,
	double gradientScale) {
	const vf take1 = splat(static_cast<float>(1 - beta1));
	const vf keep2 = splat(static_cast<float>(beta2));
	const vf take2 = splat(static_cast<float>(1 - beta2));
	const vf root = splat(static_cast<float>(rootOfCorrection));
	const vf small = splat(static_cast<float>(epsilon));
	const vf decay = splat(static_cast<float>(keep));
	const vf step = splat(static_cast<float>(-stepSize));
	const vf factor = splat(static_cast<float>(gradientScale));
	forElements(pool, length, [=](int64_t i, auto n) {
		const vf gradient = load(gradients + i, n) * factor;
		const vf oldFirst = load(firstMoment + i, n);
		const vf first = fma(take1, gradient - oldFirst, oldFirst);
		const vf second = fma(take2 * gradient, gradient, keep2 * load(secondMoment + i, n));
		const vf denominator = sqrt(second) / root + small;
		store(firstMoment + i, first, n);
		store(secondMoment + i, second, n);
		store(parameters + i, fma(step, first / denominator, load(parameters + i, n) * decay), n);
	});
}

}  // namespace vulntune::ISA
