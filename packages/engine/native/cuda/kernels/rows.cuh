// Rows of tables: embeddings and pooling.
#pragma once
#include "element.cuh"
#include "weights.cuh"

/** y [R, H] = table[rows[i]]; a block a row. */
template <class Element>
static __device__ __forceinline__ void gatherRow(Element* y, const void* table, int storage, const int* rows, int width) {
	const Weight weight = denseOf(table, storage, width);
	const Count from = static_cast<Count>(rows[blockIdx.x]) * width, to = static_cast<Count>(blockIdx.x) * width;
	for (int j = threadIdx.x; j < width; j += blockDim.x) store(y + to + j, valueOf(weight, from + j), 0);
}

/** table[rows[i]] += y[i]: the block of a row's first mention adds up all mentions, in ascending i, and rounds once. */
template <class Element>
static __device__ __forceinline__ void scatterRow(Element* table, const void* y, int storage, const int* rows, int count, int width) {
	const Weight added = denseOf(y, storage, width);
	const int first = blockIdx.x, row = rows[first];
	for (int i = 0; i < first; i++) {
		if (rows[i] == row) return;
	}
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		float sum = floatOf(table[static_cast<Count>(row) * width + j]);
		for (int i = first; i < count; i++) {
			if (rows[i] == row) sum += valueOf(added, static_cast<Count>(i) * width + j);
		}
		store(table + static_cast<Count>(row) * width + j, sum, 0);
	}
}

#define ROW_KERNELS(suffix, Element) \
	KERNEL gatherRows##suffix(Element* y, const void* table, int storage, const int* rows, int width) { \
		gatherRow(y, table, storage, rows, width); \
	} \
	KERNEL scatterAddRows##suffix(Element* table, const void* y, int storage, const int* rows, int count, int width) { \
		scatterRow(table, y, storage, rows, count, width); \
	}
FOR_ELEMENTS(ROW_KERNELS)
#undef ROW_KERNELS

/** y [F, H] = mean, or maximum where argmax is given, of the rows in the ranges [F, 2R] of each function; a block a function. */
KERNEL poolRows(float* y, int* argmax, const float* x, const int* ranges, int rangeNumbers, int width) {
	const int* bounds = ranges + static_cast<Count>(blockIdx.x) * rangeNumbers;
	const Count to = static_cast<Count>(blockIdx.x) * width;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		float sum = 0.0f;
		int pooled = 0, best = 0;
		for (int i = 0; i < rangeNumbers; i += 2) {
			for (int t = bounds[i]; t < bounds[i + 1]; t++, pooled++) {
				const float value = x[static_cast<Count>(t) * width + j];
				if (argmax == nullptr) {
					sum += value;
				} else if (pooled == 0 || value > sum) {
					sum = value;
					best = t;
				}
			}
		}
		if (argmax != nullptr) argmax[to + j] = best;
		y[to + j] = argmax == nullptr ? sum / pooled : sum;
	}
}

/** dx [T, H] += what every function, in ascending order, gives to row t; a block a row. */
KERNEL poolRowsBackward(float* dx, const float* dy, const int* argmax, const int* ranges, int functions, int rangeNumbers,
						int width) {
	const int t = blockIdx.x;
	for (int j = threadIdx.x; j < width; j += blockDim.x) {
		float sum = dx[static_cast<Count>(t) * width + j];
		for (int f = 0; f < functions; f++) {
			const int* bounds = ranges + static_cast<Count>(f) * rangeNumbers;
			const Count from = static_cast<Count>(f) * width + j;
			if (argmax != nullptr) {
				if (argmax[from] == t) sum += dy[from];
				continue;
			}
			int pooled = 0;
			for (int i = 0; i < rangeNumbers; i += 2) pooled += bounds[i + 1] - bounds[i];
			for (int i = 0; i < rangeNumbers; i += 2) {
				if (t >= bounds[i] && t < bounds[i + 1]) sum += dy[from] / pooled;
			}
		}
		dx[static_cast<Count>(t) * width + j] = sum;
	}
}
