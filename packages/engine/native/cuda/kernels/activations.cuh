// Activations and their derivatives.
#pragma once
#include "../language.cuh"

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

KERNEL activation(float* y, const float* x, int kind, Count count) {
	const Count i = threadInGrid();
	if (i < count) y[i] = activate(kind, x[i]);
}

KERNEL activationBackward(float* dx, int accumulate, const float* dy, const float* x, int kind, Count count) {
	const Count i = threadInGrid();
	if (i < count) store(dx + i, dy[i] * derivativeOf(kind, x[i]), accumulate);
}

KERNEL swiglu(float* y, const float* gate, const float* up, Count count) {
	const Count i = threadInGrid();
	if (i < count) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

/** dGate may be gate and dUp may be up. */
KERNEL swigluBackward(float* dGate, float* dUp, const float* dy, const float* gate, const float* up, Count count) {
	const Count i = threadInGrid();
	if (i >= count) return;
	const float g = gate[i], u = up[i], upstream = dy[i], s = sigmoid(g);
	dGate[i] = upstream * u * s * (1.0f + g * (1.0f - s));
	dUp[i] = upstream * g * s;
}
