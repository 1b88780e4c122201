// AdamW with decoupled decay (Loshchilov & Hutter 2019, algorithm 2; the decay times the learning rate, as PyTorch has it), with moments in
// float32 or in 8 bits (Dettmers et al. 2022).
#pragma once
#include "reduce.cuh"

struct AdamWStep {
	float learningRate, beta1, beta2, oneMinusBeta1, oneMinusBeta2, epsilon, decay, correction1, correction2, gradientScale;

	/** The moments take in a gradient, and the parameter moves. */
	__device__ __forceinline__ void take(float& parameter, float gradientBefore, float& m, float& v) const {
		const float gradient = gradientBefore * gradientScale;
		m = beta1 * m + oneMinusBeta1 * gradient;
		v = beta2 * v + oneMinusBeta2 * gradient * gradient;
		parameter = parameter * decay - learningRate * (m / correction1) / (sqrtf(v / correction2) + epsilon);
	}
};
#define ADAMW_NUMBERS \
	float learningRate, float beta1, float beta2, float oneMinusBeta1, float oneMinusBeta2, float epsilon, float decay, float correction1, float correction2, float gradientScale
#define ADAMW_STEP \
	{ learningRate, beta1, beta2, oneMinusBeta1, oneMinusBeta2, epsilon, decay, correction1, correction2, gradientScale }

KERNEL adamW(float* parameters, const float* gradients, float* firstMoment, float* secondMoment, Count count, ADAMW_NUMBERS) {
	const AdamWStep step = ADAMW_STEP;
	const Count i = threadInGrid();
	if (i >= count) return;
	float parameter = parameters[i], m = firstMoment[i], v = secondMoment[i];
	step.take(parameter, gradients[i], m, v);
	parameters[i] = parameter;
	firstMoment[i] = m;
	secondMoment[i] = v;
}

/** Moments that share a scale, and threads of a block. */
constexpr int momentBlock = 256;

/** The code of the nearest value of a codebook in ascending order; what lies between two of them belongs to the lower. */
static __device__ __forceinline__ Byte nearestCode(const float* codebook, float value) {
	int code = 0;
#pragma unroll
	for (int half = momentBlock / 2; half > 0; half /= 2) {
		const int below = code + half - 1;
		if (value > (codebook[below] + codebook[below + 1]) / 2.0f) code += half;
	}
	return static_cast<Byte>(code);
}

/** A block's moments become codes; returns the thread's. */
static __device__ __forceinline__ Byte keepMoment(float* absmax, const float* codebook, float moment, float* partial) {
	const float largest = overBlock<largerOrNan>(fabsf(moment), partial);
	if (threadIdx.x == 0) absmax[blockIdx.x] = largest;
	const float reciprocal = 1.0f / largest;
	// of zeros, or of numbers so small that the reciprocal overflows: the code of 0 throughout
	return nearestCode(codebook, moment * (reciprocal == INFINITE ? 0.0f : reciprocal));
}

/** codes u8 [count], absmax [count / 256], codebook [256], for each moment. */
KERNEL adamW8bit(float* parameters, const float* gradients, Byte* firstCodes, float* firstAbsmax, const float* firstCodebook,
				 Byte* secondCodes, float* secondAbsmax, const float* secondCodebook, Count count, ADAMW_NUMBERS) {
	const AdamWStep step = ADAMW_STEP;
	__shared__ float firstValues[momentBlock], secondValues[momentBlock], partial[momentBlock / warpSize32];
	firstValues[threadIdx.x] = firstCodebook[threadIdx.x];
	secondValues[threadIdx.x] = secondCodebook[threadIdx.x];
	__syncthreads();
	const Count i = threadInGrid();
	const bool there = i < count;
	float m = 0.0f, v = 0.0f;
	if (there) {
		float parameter = parameters[i];
		m = firstValues[firstCodes[i]] * firstAbsmax[blockIdx.x];
		v = secondValues[secondCodes[i]] * secondAbsmax[blockIdx.x];
		step.take(parameter, gradients[i], m, v);
		parameters[i] = parameter;
	}
	__syncthreads();  // the scales have been read
	const Byte first = keepMoment(firstAbsmax, firstValues, m, partial);
	const Byte second = keepMoment(secondAbsmax, secondValues, v, partial);
	if (!there) return;
	firstCodes[i] = first;
	secondCodes[i] = second;
}
#undef ADAMW_NUMBERS
#undef ADAMW_STEP
