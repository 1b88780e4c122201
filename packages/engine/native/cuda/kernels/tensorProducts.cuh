// The products of a linear layer on tensor cores, in large tiles and, where those would leave the card idle, in small ones.
#pragma once
#include "tensorProduct.cuh"

/** y [M, N] = x [M, K] · Wᵀ [N, K] */
KERNEL __launch_bounds__(128, 2) productNTLarge(float* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) {
	PRODUCT_BODY(128, 128, 64, 64, 32, 4, false, false);
}
KERNEL __launch_bounds__(128) productNTSmall(float* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) {
	PRODUCT_BODY(64, 64, 32, 32, 64, 3, false, false);
}
/** dx [M, K] = dy [M, N] · W [N, K] */
KERNEL __launch_bounds__(128, 2) productNNLarge(float* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) {
	PRODUCT_BODY(128, 128, 64, 64, 32, 4, false, true);
}
KERNEL __launch_bounds__(128) productNNSmall(float* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) {
	PRODUCT_BODY(64, 64, 32, 32, 64, 3, false, true);
}
/** dW [N, K] = dyᵀ [N, M] · x [M, K] */
KERNEL __launch_bounds__(128, 2) productTNLarge(float* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) {
	PRODUCT_BODY(128, 128, 64, 64, 32, 4, true, true);
}
KERNEL __launch_bounds__(128) productTNSmall(float* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) {
	PRODUCT_BODY(64, 64, 32, 32, 64, 3, true, true);
}
