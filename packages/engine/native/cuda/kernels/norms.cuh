// Normalisation of rows: a block a row, eight neighbours a thread. Sums, means and reciprocals are float whatever the rows lie in.
#pragma once
#include "element.cuh"
#include "reduce.cuh"

/** work(j) for the first of each eight columns that a thread has. */
template <class Work>
static __device__ __forceinline__ void overEights(int width, Work work) {
	for (int j = 8 * threadIdx.x; j < width; j += 8 * blockDim.x) work(j);
}

/** This block's row. */
template <class Element>
static __device__ __forceinline__ Element* ownRow(Element* rows, int width) {
	return rows + static_cast<Count>(blockIdx.x) * width;
}

/** y [T, H] = x × rstd × weight (Zhang & Sennrich 2019). */
template <class Element>
static __device__ __forceinline__ void normalizeByRoot(Element* y, float* rstd, const Element* x, const float* weight, int width, float epsilon) {
	__shared__ float partial[32];
	const Element* const row = ownRow(x, width);
	float squares = 0.0f;
	overEights(width, [&](int j) {
		float values[8];
		loadEight(values, row, j, width);
#pragma unroll
		for (int i = 0; i < 8; i++) squares += values[i] * values[i];
	});
	squares = overBlock<add>(squares, partial);
	const float reciprocal = 1.0f / sqrtf(squares / width + epsilon);
	if (threadIdx.x == 0) rstd[blockIdx.x] = reciprocal;
	overEights(width, [&](int j) {
		float values[8], weights[8];
		loadEight(values, row, j, width);
		loadEight(weights, weight, j, width);
#pragma unroll
		for (int i = 0; i < 8; i++) values[i] = values[i] * reciprocal * weights[i];
		storeEight(ownRow(y, width), values, j, width);
	});
}

/**
 * With x̂ = (x − mean) × rstd and g = dy × weight: dx = rstd × (g − mean(g) − x̂ × mean(g × x̂)); without a mean 0, and without the mean of
 * g. dx is added to what is there where `accumulate`.
 */
template <class Element>
static __device__ __forceinline__ void differentiateNorm(Element* dx, int accumulate, const Element* x, const float* mean, const float* rstd,
														 const float* weight, const Element* dy, int width) {
	__shared__ float partial[32];
	const Element *const row = ownRow(x, width), *const upstream = ownRow(dy, width);
	const float center = mean == nullptr ? 0.0f : mean[blockIdx.x], reciprocal = rstd[blockIdx.x];
	/** x̂ and g of eight columns. */
	const auto load = [&](float (&normalized)[8], float (&gradients)[8], int j) {
		float weights[8];
		loadEight(normalized, row, j, width);
		loadEight(gradients, upstream, j, width);
		loadEight(weights, weight, j, width);
#pragma unroll
		for (int i = 0; i < 8; i++) {
			normalized[i] = (normalized[i] - center) * reciprocal;
			gradients[i] *= weights[i];
		}
	};
	float sum = 0.0f, projection = 0.0f;
	overEights(width, [&](int j) {
		float normalized[8], gradients[8];
		load(normalized, gradients, j);
#pragma unroll
		for (int i = 0; i < 8; i++) {
			sum += gradients[i];
			projection += gradients[i] * normalized[i];
		}
	});
	sum = mean == nullptr ? 0.0f : overBlock<add>(sum, partial) / width;
	projection = overBlock<add>(projection, partial) / width;
	overEights(width, [&](int j) {
		float normalized[8], gradients[8];
		load(normalized, gradients, j);
#pragma unroll
		for (int i = 0; i < 8; i++) gradients[i] = reciprocal * (gradients[i] - sum - normalized[i] * projection);
		if (accumulate) {
			float before[8];
			loadEight(before, ownRow(dx, width), j, width);
#pragma unroll
			for (int i = 0; i < 8; i++) gradients[i] += before[i];
		}
		storeEight(ownRow(dx, width), gradients, j, width);
	});
}

/** y [T, H] = (x − mean) × rstd × weight + bias (Ba, Kiros & Hinton 2016). */
template <class Element>
static __device__ __forceinline__ void normalizeByMean(Element* y, float* mean, float* rstd, const Element* x, const float* weight,
													   const float* bias, int width, float epsilon) {
	__shared__ float partial[32];
	const Element* const row = ownRow(x, width);
	float sum = 0.0f;
	overEights(width, [&](int j) {
		float values[8];
		loadEight(values, row, j, width);
#pragma unroll
		for (int i = 0; i < 8; i++) sum += values[i];
	});
	const float center = overBlock<add>(sum, partial) / width;
	float squares = 0.0f;
	overEights(width, [&](int j) {
		float values[8];
		loadEight(values, row, j, width);
#pragma unroll
		for (int i = 0; i < 8; i++) {
			// beyond the end there are zeros, which are no values
			const float distance = j + i < width ? values[i] - center : 0.0f;
			squares += distance * distance;
		}
	});
	const float reciprocal = 1.0f / sqrtf(overBlock<add>(squares, partial) / width + epsilon);
	if (threadIdx.x == 0) {
		mean[blockIdx.x] = center;
		rstd[blockIdx.x] = reciprocal;
	}
	overEights(width, [&](int j) {
		float values[8], weights[8], biases[8] = {};
		loadEight(values, row, j, width);
		loadEight(weights, weight, j, width);
		if (bias != nullptr) loadEight(biases, bias, j, width);
#pragma unroll
		for (int i = 0; i < 8; i++) values[i] = (values[i] - center) * reciprocal * weights[i] + biases[i];
		storeEight(ownRow(y, width), values, j, width);
	});
}

/**
 * target [H] = Σ_t dy × x̂ with x̂ = (x − mean) × rstd, for the gradient of a norm's weight; without mean 0, without x 1: the
 * gradient of a bias. A block takes 32 columns; each of its 8 rows of threads adds up every eighth row.
 */
template <class Element>
static __device__ __forceinline__ void sumColumns(float* target, int accumulate, const Element* dy, const Element* x, const float* mean,
												  const float* rstd, int rows, int width) {
	__shared__ float sums[8][32];
	const int column = blockIdx.x * 32 + threadIdx.x % 32, group = threadIdx.x / 32;
	float sum = 0.0f;
	if (column < width) {
		for (int t = group; t < rows; t += 8) {
			const Count at = static_cast<Count>(t) * width + column;
			const float factor = x == nullptr ? 1.0f : (floatOf(x[at]) - (mean == nullptr ? 0.0f : mean[t])) * rstd[t];
			sum += floatOf(dy[at]) * factor;
		}
	}
	sums[group][threadIdx.x % 32] = sum;
	__syncthreads();
	if (group != 0 || column >= width) return;
	for (int other = 1; other < 8; other++) sum += sums[other][threadIdx.x];
	store(target + column, sum, accumulate);
}

#define NORM_KERNELS(suffix, Element) \
	KERNEL rmsNorm##suffix(Element* y, float* rstd, const Element* x, const float* weight, int width, float epsilon) { \
		normalizeByRoot(y, rstd, x, weight, width, epsilon); \
	} \
	KERNEL layerNorm##suffix(Element* y, float* mean, float* rstd, const Element* x, const float* weight, const float* bias, int width, float epsilon) { \
		normalizeByMean(y, mean, rstd, x, weight, bias, width, epsilon); \
	} \
	KERNEL normBackward##suffix(Element* dx, int accumulate, const Element* x, const float* mean, const float* rstd, const float* weight, const Element* dy, int width) { \
		differentiateNorm(dx, accumulate, x, mean, rstd, weight, dy, width); \
	} \
	KERNEL columnSums##suffix(float* target, int accumulate, const Element* dy, const Element* x, const float* mean, const float* rstd, int rows, int width) { \
		sumColumns(target, accumulate, dy, x, mean, rstd, rows, width); \
	}
FOR_ELEMENTS(NORM_KERNELS)
#undef NORM_KERNELS
