// AdamW with decoupled decay (Loshchilov & Hutter 2019, algorithm 2; the decay times the learning rate, as PyTorch has it).
#pragma once
#include "../language.cuh"

KERNEL adamW(float* parameters, const float* gradients, float* firstMoment, float* secondMoment, Count count, float learningRate,
			 float beta1, float beta2, float oneMinusBeta1, float oneMinusBeta2, float epsilon, float decay, float correction1,
			 float correction2, float gradientScale) {
	const Count i = threadInGrid();
	if (i >= count) return;
	const float gradient = gradients[i] * gradientScale;
	const float m = beta1 * firstMoment[i] + oneMinusBeta1 * gradient;
	const float v = beta2 * secondMoment[i] + oneMinusBeta2 * gradient * gradient;
	firstMoment[i] = m;
	secondMoment[i] = v;
	parameters[i] = parameters[i] * decay - learningRate * (m / correction1) / (sqrtf(v / correction2) + epsilon);
}
