// AdamW (Loshchilov & Hutter 2019) over flat buffers, with moments in float32 or in 8 bits (Dettmers et al. 2022).
#pragma once
#include "loops.h"

namespace vulntune::ISA {

// p ← p · keep - stepSize · m / (√v / rootOfCorrection + epsilon) after m and v took in gradientScale · gradient. `keep`
// is 1 - rate · decay, stepSize = rate / (1 - beta1^step), rootOfCorrection = √(1 - beta2^step).
class AdamWStep {
public:
	AdamWStep(
		double beta1, double beta2, double epsilon, double keep, double stepSize, double rootOfCorrection, double gradientScale)
		: take1(splat(static_cast<float>(1 - beta1))),
		  keep2(splat(static_cast<float>(beta2))),
		  take2(splat(static_cast<float>(1 - beta2))),
		  root(splat(static_cast<float>(rootOfCorrection))),
		  small(splat(static_cast<float>(epsilon))),
		  decay(splat(static_cast<float>(keep))),
		  step(splat(static_cast<float>(-stepSize))),
		  factor(splat(static_cast<float>(gradientScale))) {}

	// A vector, or n lanes of one.
	template <typename Lanes>
	void take(float* parameter, const float* gradientAt, float* firstMoment, float* secondMoment, Lanes n) const {
		const vf gradient = load(gradientAt, n) * factor;
		const vf oldFirst = load(firstMoment, n);
		const vf first = fma(take1, gradient - oldFirst, oldFirst);
		const vf second = fma(take2 * gradient, gradient, keep2 * load(secondMoment, n));
		const vf denominator = sqrt(second) / root + small;
		store(firstMoment, first, n);
		store(secondMoment, second, n);
		store(parameter, fma(step, first / denominator, load(parameter, n) * decay), n);
	}

private:
	vf take1, keep2, take2, root, small, decay, step, factor;
};

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
	const AdamWStep step(beta1, beta2, epsilon, keep, stepSize, rootOfCorrection, gradientScale);
	forElements(pool, length, [=](int64_t i, auto n) {
		step.take(parameters + i, gradients + i, firstMoment + i, secondMoment + i, n);
	});
}

// Moments in 8 bits: codes [length], a scale for each 256 of them, the values of codes [256] in ascending order.
struct QuantizedMoment {
	static constexpr int perBlock = 256;

	uint8_t* codes;
	float* absmax;
	const float* codebook;

	void restore(int64_t block, int count, float* moments) const {
		const uint8_t* from = codes + block * perBlock;
		for (int i = 0; i < count; i++) moments[i] = codebook[from[i]] * absmax[block];
	}

	// `midpoints` [255]: where neighbours of the codebook meet; what lies on one belongs to the lower.
	void keep(int64_t block, int count, const float* moments, const float* midpoints) const {
		float largest = 0;
		for (int i = 0; i < count; i++) {
			const float magnitude = __builtin_fabsf(moments[i]);
			largest = magnitude > largest || magnitude != magnitude ? magnitude : largest;
		}
		absmax[block] = largest;
		const float reciprocal = 1 / largest;
		// of zeros, or of numbers so small that the reciprocal overflows: the code of 0 throughout
		const float inverse = reciprocal == __builtin_inff() ? 0 : reciprocal;
		uint8_t* to = codes + block * perBlock;
		for (int i = 0; i < count; i++) {
			const float scaled = moments[i] * inverse;
			int code = 0;
			UNROLL for (int half = perBlock / 2; half > 0; half /= 2) code += scaled > midpoints[code + half - 1] ? half : 0;
			to[i] = static_cast<uint8_t>(code);
		}
	}

	void fillMidpoints(float* midpoints) const {
		for (int i = 0; i + 1 < perBlock; i++) midpoints[i] = (codebook[i] + codebook[i + 1]) / 2;
	}
};

static void adamW8bit(
	Pool& pool,
	float* parameters,
	const float* gradients,
	uint8_t* firstCodes,
	float* firstAbsmax,
	const float* firstCodebook,
	uint8_t* secondCodes,
	float* secondAbsmax,
	const float* secondCodebook,
	int64_t length,
	double beta1,
	double beta2,
	double epsilon,
	double keep,
	double stepSize,
	double rootOfCorrection,
	double gradientScale) {
	constexpr int perBlock = QuantizedMoment::perBlock;
	const AdamWStep step(beta1, beta2, epsilon, keep, stepSize, rootOfCorrection, gradientScale);
	const QuantizedMoment first = {firstCodes, firstAbsmax, firstCodebook};
	const QuantizedMoment second = {secondCodes, secondAbsmax, secondCodebook};
	inPieces(pool, length, elementsPerTask, [=](int64_t begin, int64_t end) {
		float firstMidpoints[perBlock], secondMidpoints[perBlock];
		first.fillMidpoints(firstMidpoints);
		second.fillMidpoints(secondMidpoints);
		for (int64_t at = begin; at < end; at += perBlock) {
			const int64_t block = at / perBlock;
			const int count = static_cast<int>(minimum<int64_t>(perBlock, end - at));
			float firstMoments[perBlock], secondMoments[perBlock];
			first.restore(block, count, firstMoments);
			second.restore(block, count, secondMoments);
			forVectors(0, count, [&](int64_t i, auto n) {
				step.take(parameters + at + i, gradients + at + i, firstMoments + i, secondMoments + i, n);
			});
			first.keep(block, count, firstMoments, firstMidpoints);
			second.keep(block, count, secondMoments, secondMidpoints);
		}
	});
}

static_assert(elementsPerTask % QuantizedMoment::perBlock == 0, "no block is shared by two tasks");

}  // namespace vulntune::ISA
