// Losses over few classes, and the pieces of cross-entropy over a vocabulary.
#pragma once
#include "reduce.cuh"

/** In float64: of a logit far ahead nothing would be left in float32 once it is subtracted, and functions are few. */
struct FocalFactors {
	double factor, slope;
};

/** (1 − p)^γ and ∂((1 − p)^γ × −log p)/∂(−log p), by 1 − p = −expm1(log p), which keeps its digits near p = 1. */
static __device__ __forceinline__ FocalFactors focalFactors(double negLogP, double gamma, int detached) {
	const double rest = -expm1(-negLogP);
	const double factor = gamma == 0.0 ? 1.0 : pow(rest, gamma);
	if (detached || gamma == 0.0) return {factor, factor};
	const double ratio = rest == 0.0 ? 1.0 : negLogP / rest;
	return {factor, factor * (1.0 + gamma * exp(-negLogP) * ratio)};
}

/** −log softmax(logits)[label] without cancellation: by the distances of the other logits from the label's. */
static __device__ __forceinline__ double negativeLogProbability(const float* logits, int classes, int label) {
	const double own = logits[label];
	int closest = -1;
	for (int c = 0; c < classes; c++) {
		if (c != label && (closest < 0 || logits[c] > logits[closest])) closest = c;
	}
	if (closest < 0) return 0.0;
	const double lead = logits[closest] > own ? logits[closest] - own : 0.0;
	double rest = lead > 0.0 ? exp(-lead) : 0.0;
	for (int c = 0; c < classes; c++) {
		if (c == label || (lead > 0.0 && c == closest)) continue;
		rest += exp(logits[c] - own - lead);
	}
	return lead + log1p(rest);
}

/** A thread a function (Lin et al. 2017). */
KERNEL focalLoss(float* losses, float* probabilities, float* dLogits, const float* logits, const int* labels,
				 const float* weights, int functions, int classes, float gamma, int detached) {
	const Count f = threadInGrid();
	if (f >= functions) return;
	const float* own = logits + f * classes;
	const int label = labels[f];
	const double negLogP = negativeLogProbability(own, classes, label);
	const FocalFactors focal = focalFactors(negLogP, gamma, detached);
	losses[f] = static_cast<float>(weights[f] * focal.factor * negLogP);
	for (int c = 0; c < classes; c++) {
		const double probability = exp(static_cast<double>(own[c]) - own[label] - negLogP);
		probabilities[f * classes + c] = static_cast<float>(probability);
		dLogits[f * classes + c] = static_cast<float>(weights[f] * focal.slope * (c == label ? expm1(-negLogP) : probability));
	}
}

KERNEL focalOfNegLogP(float* losses, float* derivative, const float* negLogP, const float* weights, int rows, float gamma,
					  int detached) {
	const Count r = threadInGrid();
	if (r >= rows) return;
	// a difference of rounded logarithms can come out a little below 0
	const double value = larger(0.0f, negLogP[r]);
	const FocalFactors focal = focalFactors(value, gamma, detached);
	losses[r] = static_cast<float>(weights[r] * focal.factor * value);
	derivative[r] = static_cast<float>(weights[r] * focal.slope);
}

constexpr int ignoredTarget = -100;

/**
 * Takes logits [R, columns] of the vocabulary's entries from `first` into a running log-sum-exp: state [R, 3] holds the largest
 * logit, Σ exp(logit − largest) and the target's logit. A block a row.
 */
KERNEL crossEntropyChunk(float* state, const float* logits, const int* targets, int columns, int first) {
	__shared__ float partial[32];
	const float* own = logits + static_cast<Count>(blockIdx.x) * columns;
	float* running = state + 3 * static_cast<Count>(blockIdx.x);
	float largest = first == 0 ? -INFINITE : running[0];
	const float before = largest;
	float found = -INFINITE;
	for (int c = threadIdx.x; c < columns; c += blockDim.x) found = larger(found, own[c]);
	largest = larger(largest, overBlock<larger>(found, partial));
	float sum = 0.0f;
	for (int c = threadIdx.x; c < columns; c += blockDim.x) sum += expf(own[c] - largest);
	sum = overBlock<add>(sum, partial);
	if (threadIdx.x != 0) return;
	running[1] = first == 0 ? sum : running[1] * expf(before - largest) + sum;
	running[0] = largest;
	const int target = targets[blockIdx.x];
	if (target >= first && target < first + columns) running[2] = own[target - first];
}

KERNEL crossEntropyLosses(float* losses, float* logSumExp, const float* state, const int* targets, int rows) {
	const Count r = threadInGrid();
	if (r >= rows) return;
	const float logSum = state[3 * r] + logf(state[3 * r + 1]);
	logSumExp[r] = logSum;
	losses[r] = targets[r] == ignoredTarget ? 0.0f : logSum - state[3 * r + 2];
}

/** In place: logits → dLosses × (softmax − onehot). A block a row. */
KERNEL crossEntropyGradient(float* logits, const float* logSumExp, const float* dLosses, const int* targets, int columns, int first) {
	float* own = logits + static_cast<Count>(blockIdx.x) * columns;
	const int target = targets[blockIdx.x];
	const float logSum = logSumExp[blockIdx.x], upstream = dLosses[blockIdx.x];
	for (int c = threadIdx.x; c < columns; c += blockDim.x) {
		const float probability = expf(own[c] - logSum);
		own[c] = target == ignoredTarget ? 0.0f : upstream * (target == first + c ? probability - 1.0f : probability);
	}
}
