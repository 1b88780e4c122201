// Normalisation of rows: a block a row.
#pragma once
#include "reduce.cuh"

/** y [T, H] = x × rstd × weight (Zhang & Sennrich 2019). */
KERNEL rmsNorm(float* y, float* rstd, const float* x, const float* weight, int width, float epsilon) {
	__shared__ float partial[32];
	const Count start = static_cast<Count>(blockIdx.x) * width;
	float squares = 0.0f;
	for (int j = threadIdx.x; j < width; j += blockDim.x) squares += x[start + j] * x[start + j];
	squares = overBlock<add>(squares, partial);
	const float reciprocal = 1.0f / sqrtf(squares / width + epsilon);
	if (threadIdx.x == 0) rstd[blockIdx.x] = reciprocal;
	for (int j = threadIdx.x; j < width; j += blockDim.x) y[start + j] = x[start + j] * reciprocal * weight[j];
}

/** With x̂ = x × rstd and g = dy × weight: dx = rstd × (g − x̂ × mean(g × x̂)). */
KERNEL rmsNormBackward(float* dx, int accumulate, const float* x, const float* rstd, const float* weight, const float* dy,
					   int width) {
	__shared__ float partial[32];
	const Count start = static_cast<Count>(blockIdx.x) * width;
	const float reciprocal = rstd[blockIdx.x];
	float projection = 0.0f;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		projection += dy[start + j] * weight[j] * (x[start + j] * reciprocal);
	}
	projection = overBlock<add>(projection, partial) / width;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		const float normalized = x[start + j] * reciprocal;
		store(dx + start + j, reciprocal * (dy[start + j] * weight[j] - normalized * projection), accumulate);
	}
}

/** y [T, H] = (x − mean) × rstd × weight + bias (Ba, Kiros & Hinton 2016). */
KERNEL layerNorm(float* y, float* mean, float* rstd, const float* x, const float* weight, const float* bias, int width,
				 float epsilon) {
	__shared__ float partial[32];
	const Count start = static_cast<Count>(blockIdx.x) * width;
	float sum = 0.0f;
	for (int j = threadIdx.x; j < width; j += blockDim.x) sum += x[start + j];
	const float center = overBlock<add>(sum, partial) / width;
	float squares = 0.0f;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		const float distance = x[start + j] - center;
		squares += distance * distance;
	}
	const float reciprocal = 1.0f / sqrtf(overBlock<add>(squares, partial) / width + epsilon);
	if (threadIdx.x == 0) {
		mean[blockIdx.x] = center;
		rstd[blockIdx.x] = reciprocal;
	}
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		y[start + j] = (x[start + j] - center) * reciprocal * weight[j] + (bias == nullptr ? 0.0f : bias[j]);
	}
}

/** With x̂ = (x − mean) × rstd and g = dy × weight: dx = rstd × (g − mean(g) − x̂ × mean(g × x̂)). */
KERNEL layerNormBackward(float* dx, int accumulate, const float* x, const float* mean, const float* rstd, const float* weight,
						 const float* dy, int width) {
	__shared__ float partial[32];
	const Count start = static_cast<Count>(blockIdx.x) * width;
	const float center = mean[blockIdx.x], reciprocal = rstd[blockIdx.x];
	float sum = 0.0f, projection = 0.0f;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		const float gradient = dy[start + j] * weight[j];
		sum += gradient;
		projection += gradient * ((x[start + j] - center) * reciprocal);
	}
	sum = overBlock<add>(sum, partial) / width;
	projection = overBlock<add>(projection, partial) / width;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		const float normalized = (x[start + j] - center) * reciprocal;
		store(dx + start + j, reciprocal * (dy[start + j] * weight[j] - sum - normalized * projection), accumulate);
	}
}

/**
 * target [H] = Σ_t dy × x̂ with x̂ = (x − mean) × rstd, for the gradient of a norm's weight; without mean 0, without x 1: the
 * gradient of a bias. A block takes 32 columns; each of its 8 rows of threads adds up every eighth row.
 */
KERNEL columnSums(float* target, int accumulate, const float* dy, const float* x, const float* mean, const float* rstd, int rows,
				  int width) {
	__shared__ float sums[8][32];
	const int column = blockIdx.x * 32 + threadIdx.x % 32, group = threadIdx.x / 32;
	float sum = 0.0f;
	if (column < width) {
		for (int t = group; t < rows; t += 8) {
			const Count at = static_cast<Count>(t) * width + column;
			const float factor = x == nullptr ? 1.0f : (x[at] - (mean == nullptr ? 0.0f : mean[t])) * rstd[t];
			sum += dy[at] * factor;
		}
	}
	sums[group][threadIdx.x % 32] = sum;
	__syncthreads();
	if (group != 0 || column >= width) return;
	for (int other = 1; other < 8; other++) sum += sums[other][threadIdx.x];
	store(target + column, sum, accumulate);
}
