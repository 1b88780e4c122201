// The products of a linear layer on tensor cores, in large tiles and, where those would leave the card idle, in small ones.
#pragma once
#include "tensorProduct.cuh"

#define PRODUCT_KERNELS(suffix, Element, direction, leftByDepth, rightByDepth) \
	KERNEL __launch_bounds__(128, 2) product##direction##Large##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) { \
		PRODUCT_BODY(128, 128, 64, 64, 32, 4, leftByDepth, rightByDepth); \
	} \
	KERNEL __launch_bounds__(128) product##direction##Small##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) { \
		PRODUCT_BODY(64, 64, 32, 32, 64, 3, leftByDepth, rightByDepth); \
	}
/** y [M, N] = x [M, K] · Wᵀ [N, K] and dx [M, K] = dy [M, N] · W [N, K] */
#define ACTIVATION_PRODUCTS(suffix, Element) \
	PRODUCT_KERNELS(suffix, Element, NT, false, false) \
	PRODUCT_KERNELS(suffix, Element, NN, false, true)
FOR_ELEMENTS(ACTIVATION_PRODUCTS)
/** dW [N, K] = dyᵀ [N, M] · x [M, K], which is float always */
PRODUCT_KERNELS(, float, TN, true, true)
#undef ACTIVATION_PRODUCTS
#undef PRODUCT_KERNELS
