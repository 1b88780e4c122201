// One number in, one number out: eight neighbours a thread where they are many.
#pragma once
#include "element.cuh"
#include "philox.cuh"
#include "weights.cuh"

template <class Element>
static __device__ __forceinline__ void fillEight(Element* target, Count count, float value) {
	const float values[8] = {value, value, value, value, value, value, value, value};
	storeEight(target, values, 8 * threadInGrid(), count);
}

KERNEL fillInteger(int* target, Count count, int value) {
	const Count i = threadInGrid();
	if (i < count) target[i] = value;
}

/** target = source between float types, rounded to nearest even. */
KERNEL convert(void* target, int to, const void* source, int from, Count count) {
	const Count i = threadInGrid();
	if (i >= count) return;
	const float value = valueOf(denseOf(source, from, 1), i);
	if (to == storageF32) static_cast<float*>(target)[i] = value;
	else static_cast<Half*>(target)[i] = to == storageBf16 ? bfloat16OfFloat(value) : float16OfFloat(value);
}

template <class Element>
static __device__ __forceinline__ void scaleEight(Element* target, float factor, Count count) {
	const Count first = 8 * threadInGrid();
	float values[8];
	loadEight(values, target, first, count);
#pragma unroll
	for (int i = 0; i < 8; i++) values[i] *= factor;
	storeEight(target, values, first, count);
}

/** The eight elements of a thread share a counter. */
template <class Element>
static __device__ __forceinline__ void dropSomeOfEight(Element* y, const Element* x, Count count, const Mask& mask) {
	const Count first = 8 * threadInGrid();
	float values[8];
	loadEight(values, x, first, count);
	dropEight(values, first, mask);
	storeEight(y, values, first, count);
}

template <class Element>
static __device__ __forceinline__ void addBiasToOne(Element* y, const Element* x, const float* bias, Count count, int columns) {
	const Count i = threadInGrid();
	if (i < count) store(y + i, floatOf(x[i]) + bias[i % columns], 0);
}

#define ELEMENTWISE_KERNELS(suffix, Element) \
	KERNEL fillFloat##suffix(Element* target, Count count, float value) { fillEight(target, count, value); } \
	KERNEL addFloats##suffix(Element* sum, const Element* a, const Element* b, Count count) { \
		combineEight(sum, a, b, count, [](float left, float right) { return left + right; }); \
	} \
	KERNEL addScaled##suffix(Element* target, const Element* source, float factor, Count count) { \
		combineEight(target, target, source, count, [factor](float sum, float value) { return sum + factor * value; }); \
	} \
	KERNEL scaleFloats##suffix(Element* target, float factor, Count count) { scaleEight(target, factor, count); } \
	KERNEL dropout##suffix(Element* y, const Element* x, Count count, Mask mask) { dropSomeOfEight(y, x, count, mask); } \
	KERNEL addBias##suffix(Element* y, const Element* x, const float* bias, Count count, int columns) { \
		addBiasToOne(y, x, bias, count, columns); \
	}
FOR_ELEMENTS(ELEMENTWISE_KERNELS)
#undef ELEMENTWISE_KERNELS

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
