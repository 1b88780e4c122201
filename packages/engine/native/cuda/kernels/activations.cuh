// Activations and their derivatives.
#pragma once
#include "element.cuh"

/** The order of `activationKinds` in the backend's activations.ts. */
enum ActivationKind { gelu, geluTanh, hyperbolicTangent, silu };

static __device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + expf(-x)); }

/** P(Z ≤ x) for a normal Z. */
static __device__ __forceinline__ float normalDistribution(float x) { return 0.5f * erfcf(-x * 0.70710678118654752f); }

constexpr float rootTwoOverPi = 0.79788456080286536f;
/** Hendrycks & Gimpel 2016, equation (2). */
constexpr float geluCubic = 0.044715f;

static __device__ __forceinline__ float activate(int kind, float x) {
	switch (kind) {
		case gelu: return x * normalDistribution(x);
		case geluTanh: return 0.5f * x * (1.0f + tanhf(rootTwoOverPi * (x + geluCubic * x * x * x)));
		case hyperbolicTangent: return tanhf(x);
		default: return x * sigmoid(x);
	}
}

static __device__ __forceinline__ float derivativeOf(int kind, float x) {
	switch (kind) {
		case gelu: return normalDistribution(x) + x * expf(-0.5f * x * x) * 0.39894228040143268f;
		case geluTanh: {
			const float t = tanhf(rootTwoOverPi * (x + geluCubic * x * x * x));
			const float slope = 1.0f - t * t;
			const float inner = slope == 0.0f ? 0.0f : slope * rootTwoOverPi * (1.0f + 3.0f * geluCubic * x * x);
			return 0.5f * (1.0f + t) + 0.5f * x * inner;
		}
		case hyperbolicTangent: {
			const float t = tanhf(x);
			return 1.0f - t * t;
		}
		default: {
			const float s = sigmoid(x);
			return s * (1.0f + x * (1.0f - s));
		}
	}
}

template <class Element>
static __device__ __forceinline__ void activateOne(Element* y, const Element* x, int kind, Count count) {
	const Count i = threadInGrid();
	if (i < count) store(y + i, activate(kind, floatOf(x[i])), 0);
}

template <class Element>
static __device__ __forceinline__ void differentiateOne(Element* dx, int accumulate, const Element* dy, const Element* x, int kind,
														Count count) {
	const Count i = threadInGrid();
	if (i < count) store(dx + i, floatOf(dy[i]) * derivativeOf(kind, floatOf(x[i])), accumulate);
}

/** dGate may be gate and dUp may be up. */
template <class Element>
static __device__ __forceinline__ void differentiateEightGates(Element* dGate, Element* dUp, const Element* dy, const Element* gate,
															   const Element* up, Count count) {
	const Count first = 8 * threadInGrid();
	float gates[8], ups[8], upstream[8];
	loadEight(gates, gate, first, count);
	loadEight(ups, up, first, count);
	loadEight(upstream, dy, first, count);
#pragma unroll
	for (int i = 0; i < 8; i++) {
		const float g = gates[i], s = sigmoid(g);
		gates[i] = upstream[i] * ups[i] * s * (1.0f + g * (1.0f - s));
		ups[i] = upstream[i] * g * s;
	}
	storeEight(dGate, gates, first, count);
	storeEight(dUp, ups, first, count);
}

#define ACTIVATION_KERNELS(suffix, Element) \
	KERNEL activation##suffix(Element* y, const Element* x, int kind, Count count) { activateOne(y, x, kind, count); } \
	KERNEL activationBackward##suffix(Element* dx, int accumulate, const Element* dy, const Element* x, int kind, Count count) { \
		differentiateOne(dx, accumulate, dy, x, kind, count); \
	} \
	KERNEL swiglu##suffix(Element* y, const Element* gate, const Element* up, Count count) { \
		combineEight(y, gate, up, count, [](float g, float u) { return u * (g * sigmoid(g)); }); \
	} \
	KERNEL swigluBackward##suffix(Element* dGate, Element* dUp, const Element* dy, const Element* gate, const Element* up, Count count) { \
		differentiateEightGates(dGate, dUp, dy, gate, up, count); \
	}
FOR_ELEMENTS(ACTIVATION_KERNELS)
#undef ACTIVATION_KERNELS
