// One number in, one number out.
#pragma once
#include "philox.cuh"
#include "weights.cuh"

KERNEL fillFloat(float* target, Count count, float value) {
	const Count i = threadInGrid();
	if (i < count) target[i] = value;
}

KERNEL fillInteger(int* target, Count count, int value) {
	const Count i = threadInGrid();
	if (i < count) target[i] = value;
}

/** target = source between float types, rounded to nearest even. */
KERNEL convert(void* target, int to, const void* source, int from, Count count) {
	const Count i = threadInGrid();
	if (i >= count) return;
	const float value = valueOf({source, nullptr, nullptr, from, 1}, i);
	if (to == storageF32) static_cast<float*>(target)[i] = value;
	else static_cast<Half*>(target)[i] = to == storageBf16 ? bfloat16OfFloat(value) : float16OfFloat(value);
}

KERNEL addFloats(float* sum, const float* a, const float* b, Count count) {
	const Count i = threadInGrid();
	if (i < count) sum[i] = a[i] + b[i];
}

KERNEL addScaled(float* target, const float* source, float factor, Count count) {
	const Count i = threadInGrid();
	if (i < count) target[i] += factor * source[i];
}

KERNEL scaleFloats(float* target, float factor, Count count) {
	const Count i = threadInGrid();
	if (i < count) target[i] *= factor;
}

/** A thread takes the eight elements that share a counter. */
KERNEL dropout(float* y, const float* x, Count count, Mask mask) {
	const Count counter = threadInGrid();
	const Random random = randomOf(counter, mask);
#pragma unroll
	for (int i = 0; i < 8; i++) {
		const Count at = 8 * counter + i;
		if (at < count) y[at] = x[at] * keptFactor(random, i, mask);
	}
}

KERNEL addBias(float* y, const float* x, const float* bias, Count count, int columns) {
	const Count i = threadInGrid();
	if (i < count) y[i] = x[i] + bias[i % columns];
}

KERNEL scaleRows(float* x, const float* factor, Count count, int columns) {
	const Count i = threadInGrid();
	if (i < count) x[i] *= factor[i / columns];
}

/** partials[block] = the block's share of Σ x², in float64. */
KERNEL sumOfSquares(double* partials, const float* x, Count count) {
	__shared__ double sums[256];
	double sum = 0;
	for (Count i = threadInGrid(); i < count; i += static_cast<Count>(gridDim.x) * blockDim.x) {
		sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
	}
	sums[threadIdx.x] = sum;
	for (int half = blockDim.x / 2; half > 0; half /= 2) {
		__syncthreads();
		if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
	}
	if (threadIdx.x == 0) partials[blockIdx.x] = sums[0];
}
