// Activations and their gradients, element by element.
#pragma once
#include "loops.h"
#include "math.h"

namespace vulntune::ISA {

// x · Φ(x) (Hendrycks & Gimpel 2016)
struct Gelu {
	static vf value(vf x) { return x * normalDistribution(x, gaussian(x)); }
	static vf slope(vf x) {
		const vf bell = gaussian(x);
		return fma(x * bell, splat(0.3989422804f), normalDistribution(x, bell));
	}
};

// The tanh form of GELU, as (1 + tanh u) / 2 = sigmoid(2u), which loses nothing where tanh is near -1.
struct GeluTanh {
	static constexpr float root = 1.5957691216f;  // 2 · √(2/π)
	static vf gate(vf x) {
		const vf square = x * x;
		return sigmoid(splat(root) * x * fma(square, splat(0.044715f), splat(1.0f)));
	}
	static vf value(vf x) { return x * gate(x); }
	static vf slope(vf x) {
		const vf s = gate(x);
		const vf inner = splat(root) * fma(x * x, splat(3 * 0.044715f), splat(1.0f));
		return fma(x * s, (splat(1.0f) - s) * inner, s);
	}
};

struct Tanh {
	static vf value(vf x) { return hyperbolicTangent(x); }
	static vf slope(vf x) {
		const vf y = hyperbolicTangent(x);
		return (splat(1.0f) - y) * (splat(1.0f) + y);
	}
};

struct Silu {
	static vf value(vf x) { return x * sigmoid(x); }
	static vf slope(vf x) {
		const vf s = sigmoid(x);
		return s * fma(x, splat(1.0f) - s, splat(1.0f));
	}
};

template <typename Function>
inline void applyActivation(Pool& pool, float* y, const float* x, int64_t length) {
	forElements(pool, length, [=](int64_t i, auto n) { store(y + i, Function::value(load(x + i, n)), n); });
}

template <typename Function>
inline void applyGradient(
	Pool& pool, float* dx, bool accumulate, const float* dy, const float* x, int64_t length) {
	forElements(pool, length, [=](int64_t i, auto n) {
		const vf value = load(dy + i, n) * Function::slope(load(x + i, n));
		store(dx + i, accumulate ? value + load(dx + i, n) : value, n);
	});
}

// kind: 0 gelu, 1 geluTanh, 2 tanh, 3 silu.
static void activation(Pool& pool, int kind, float* y, const float* x, int64_t length) {
	if (kind == 0) applyActivation<Gelu>(pool, y, x, length);
	if (kind == 1) applyActivation<GeluTanh>(pool, y, x, length);
	if (kind == 2) applyActivation<Tanh>(pool, y, x, length);
	if (kind == 3) applyActivation<Silu>(pool, y, x, length);
}

static void activationBackward(
	Pool& pool, int kind, float* dx, bool accumulate, const float* dy, const float* x, int64_t length) {
	if (kind == 0) applyGradient<Gelu>(pool, dx, accumulate, dy, x, length);
	if (kind == 1) applyGradient<GeluTanh>(pool, dx, accumulate, dy, x, length);
	if (kind == 2) applyGradient<Tanh>(pool, dx, accumulate, dy, x, length);
	if (kind == 3) applyGradient<Silu>(pool, dx, accumulate, dy, x, length);
}

}  // namespace vulntune::ISA
