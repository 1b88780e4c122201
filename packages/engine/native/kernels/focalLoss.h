// Focal loss (Lin et al. 2017): weight · q^gamma · l with l = -log p, q = 1 - p. Everything is float64 and q is never a
// difference, so that losses and gradients are right where p is 1 up to rounding.
#pragma once
#include "loops.h"

namespace vulntune::ISA {

struct FocalTerm {
	double loss;
	// ∂loss / ∂l
	double derivative;
};

// With q = 1 - p and dq/dl = p: d(q^γ · l)/dl = q^γ · (1 + γ · p · l / q). l / q tends to 1 as p does.
inline FocalTerm focalTerm(double negLogP, double p, double q, double gamma, bool detached) {
	const double modulation = gamma == 0 ? 1.0 : __builtin_pow(q, gamma);
	const double ratio = q > 0 ? negLogP / q : 1.0;
	const double slope = detached || gamma == 0 ? 1.0 : 1.0 + gamma * p * ratio;
	return {modulation * negLogP, modulation * slope};
}

static void focalLoss(
	Pool& pool,
	float* losses,
	float* probabilities,
	float* dLogits,
	const float* logits,
	const int32_t* labels,
	const float* weights,
	int64_t functions,
	int64_t classes,
	double gamma,
	bool detached) {
	forRows(pool, functions, classes * 64, [=](int64_t f) {
		const float* z = logits + f * classes;
		const int32_t label = labels[f];
		double largestLogit = z[0];
		for (int64_t c = 1; c < classes; c++) largestLogit = maximum<double>(largestLogit, z[c]);
		const double own = __builtin_exp(z[label] - largestLogit);
		double others = 0;
		for (int64_t c = 0; c < classes; c++) {
			if (c != label) others += __builtin_exp(z[c] - largestLogit);
		}
		const double total = own + others;
		const double negLogP = own == 1.0 ? __builtin_log1p(others) : largestLogit - z[label] + __builtin_log(total);
		const double q = others / total;
		const FocalTerm term = focalTerm(negLogP, own / total, q, gamma, detached);
		losses[f] = static_cast<float>(weights[f] * term.loss);
		for (int64_t c = 0; c < classes; c++) {
			const double p = __builtin_exp(z[c] - largestLogit) / total;
			probabilities[f * classes + c] = static_cast<float>(p);
			dLogits[f * classes + c] = static_cast<float>(weights[f] * term.derivative * (c == label ? -q : p));
		}
	});
}

// The same from -log p alone.
static void focalOfNegLogP(
	Pool& pool,
	float* losses,
	float* derivative,
	const float* negLogP,
	const float* weights,
	int64_t rows,
	double gamma,
	bool detached) {
	forRows(pool, rows, 64, [=](int64_t row) {
		// Rounding in float32 may leave -log p a little below 0.
		const double l = maximum<double>(0.0, negLogP[row]);
		const FocalTerm term = focalTerm(l, __builtin_exp(-l), -__builtin_expm1(-l), gamma, detached);
		losses[row] = static_cast<float>(weights[row] * term.loss);
		derivative[row] = static_cast<float>(weights[row] * term.derivative);
	});
}

}  // namespace vulntune::ISA
