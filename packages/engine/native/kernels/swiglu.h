// y = silu(gate) · up (Shazeer 2020).
#pragma once
#include "activation.h"

namespace vulntune::ISA {

static void swiglu(Pool& pool, float* y, const float* gate, const float* up, int64_t length) {
	forElements(pool, length, [=](int64_t i, auto n) {
		store(y + i, Silu::value(load(gate + i, n)) * load(up + i, n), n);
	});
}

// dGate may be gate and dUp may be up.
static void swigluBackward(
	Pool& pool, float* dGate, float* dUp, const float* dy, const float* gate, const float* up, int64_t length) {
	forElements(pool, length, [=](int64_t i, auto n) {
		const vf gradient = load(dy + i, n);
		const vf g = load(gate + i, n);
		const vf u = load(up + i, n);
		const vf s = sigmoid(g);
		store(dGate + i, gradient * u * s * fma(g, splat(1.0f) - s, splat(1.0f)), n);
		store(dUp + i, gradient * g * s, n);
	});
}

}  // namespace vulntune::ISA
