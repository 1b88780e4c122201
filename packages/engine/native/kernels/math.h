// Elementary functions over vectors, within 3 units in the last place of float32 (the normal distribution 6).
// Their polynomials interpolate at the Chebyshev nodes of the reduced range.
#pragma once
#include "../simd.h"

namespace vulntune::ISA {

using vint = int32_t __attribute__((vector_size(W * 4)));

inline vint bitsOf(vf x) { return (vint)x; }
inline vf floatOf(vint bits) { return (vf)bits; }
inline vf absolute(vf x) { return floatOf(bitsOf(x) & 0x7fffffff); }

// Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits of the sum.
constexpr float roundingShift = 12582912.0f;
constexpr int32_t roundingShiftBits = 0x4b400000;

// 2^n for -126 ≤ n ≤ 127.
inline vf powerOfTwo(vint n) { return floatOf((n + 127) << 23); }

// x = n · ln 2 + r with |r| ≤ ln 2 / 2, and series = (e^r - 1 - r) / r².
struct ReducedExponent {
	vint n;
	vf r;
	vf series;

	vf expMinusOne() const { return fma(series * r, r, r); }
};

inline ReducedExponent reduceExponent(vf x) {
	const vf shifted = fma(x, splat(1.44269504f), splat(roundingShift));
	const vf n = shifted - splat(roundingShift);
	// ln 2 in two parts, the first short enough for an exact product with n.
	vf r = fma(n, splat(-0.693359375f), x);
	r = fma(n, splat(2.12194440e-4f), r);
	vf series = splat(0.0013926176f);
	series = fma(series, r, splat(0.00836317307f));
	series = fma(series, r, splat(0.0416665547f));
	series = fma(series, r, splat(0.16666577f));
	series = fma(series, r, splat(0.5f));
	return {bitsOf(shifted) - roundingShiftBits, r, series};
}

// e^x with gradual underflow to 0 and overflow to infinity; NaN stays NaN.
inline vf exponential(vf x) {
	vf clamped = x < splat(-104.0f) ? splat(-104.0f) : x;
	clamped = clamped > splat(89.0f) ? splat(89.0f) : clamped;
	const ReducedExponent reduced = reduceExponent(clamped);
	const vint half = reduced.n >> 1;
	return (reduced.expMinusOne() + splat(1.0f)) * powerOfTwo(half) * powerOfTwo(reduced.n - half);
}

// 2^x for x ≤ 127, and 0 below 2^-126: for attention, whose arguments are about 0 at most. 2^0 is exactly 1.
inline vf exponential2(vf x) {
#if defined(SIMD_AVX512)
	// f = x - ⌊x⌋, whose polynomial has a node at 0.
	const vf f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
	vf series = splat(0.001882694662f);
	series = fma(series, f, splat(0.008979718201f));
	series = fma(series, f, splat(0.05583060533f));
	series = fma(series, f, splat(0.2401545644f));
	series = fma(series, f, splat(0.6931523085f));
	series = fma(series, f, splat(1.0f));
	const __mmask16 normal = _mm512_cmp_ps_mask(x, splat(-126.0f), _CMP_NLT_UQ);
	return _mm512_maskz_scalef_ps(normal, series, x);
#else
	const vf clamped = x < splat(-126.0f) ? splat(-126.0f) : x;
	const vf shifted = clamped + splat(roundingShift);
	// |f| ≤ ½
	const vf f = clamped - (shifted - splat(roundingShift));
	vf series = splat(0.0001545316294f);
	series = fma(series, f, splat(0.001339086336f));
	series = fma(series, f, splat(0.009618082557f));
	series = fma(series, f, splat(0.05550357114f));
	series = fma(series, f, splat(0.2402265076f));
	series = fma(series, f, splat(0.693147188f));
	series = fma(series, f, splat(1.0f));
	const vf value = series * powerOfTwo(bitsOf(shifted) - roundingShiftBits);
	return x < splat(-126.0f) ? zero() : value;
#endif
}

// Natural logarithm of positive normal numbers.
inline vf logarithm(vf x) {
	// x = 2^n · (1 + f) with 1 + f in [√½, √2)
	constexpr int32_t rootOfHalf = 0x3f3504f3;
	const vint bits = bitsOf(x) - rootOfHalf;
	const vf n = __builtin_convertvector(bits >> 23, vf);
	const vf f = floatOf((bits & 0x7fffff) + rootOfHalf) - splat(1.0f);
	vf series = splat(0.06971611443f);
	series = fma(series, f, splat(-0.1147973381f));
	series = fma(series, f, splat(0.1168541992f));
	series = fma(series, f, splat(-0.1242568734f));
	series = fma(series, f, splat(0.1424905765f));
	series = fma(series, f, splat(-0.1666780232f));
	series = fma(series, f, splat(0.2000071575f));
	series = fma(series, f, splat(-0.2499999696f));
	series = fma(series, f, splat(0.3333333118f));
	const vf square = f * f;
	vf rest = fma(series * f, square, n * splat(-2.12194440e-4f));
	rest = fma(square, splat(-0.5f), rest);
	return fma(n, splat(0.693359375f), f + rest);
}

inline vf sigmoid(vf x) { return splat(1.0f) / (splat(1.0f) + exponential(zero() - x)); }

inline vf hyperbolicTangent(vf x) {
	// tanh|x| = e / (e + 2) with e = exp(2|x|) - 1 formed without cancellation. Beyond 10 it rounds to 1.
	const vf magnitude = absolute(x);
	const vf doubled = magnitude > splat(10.0f) ? splat(20.0f) : magnitude + magnitude;
	const ReducedExponent reduced = reduceExponent(doubled);
	const vf power = powerOfTwo(reduced.n);
	const vf e = fma(reduced.expMinusOne(), power, power - splat(1.0f));
	return floatOf(bitsOf(e / (e + splat(2.0f))) | (bitsOf(x) & INT32_MIN));
}

// e^(-x²/2). With x = h + l and h of 12 bits, h² is exact and the rest of the exponent small, so that the rounding
// error of x² does not grow with x. Beyond 20 it is 0.
inline vf gaussian(vf value) {
	const vf x = absolute(value) > splat(20.0f) ? splat(20.0f) : value;
	const vf h = floatOf((bitsOf(x) + 0x800) & static_cast<int32_t>(0xfffff000));
	const vf rest = (x - h) * (x + h) * splat(-0.5f);
	vf series = fma(rest, splat(1.0f / 6), splat(0.5f));
	series = fma(series * rest, rest, rest);
	const vf main = exponential(h * h * splat(-0.5f));
	return fma(main, series, main);
}

// Φ(x), the standard normal distribution function, accurate in its lower tail too, given gaussian(x): the tail is
// gaussian(x) · erfcx(t) / 2 with t = |x| / √2, and erfcx(t) / u a polynomial in u = 2 / (2 + t).
inline vf normalDistribution(vf x, vf gaussianOfX) {
	const vf t = absolute(x) * splat(0.7071067812f);
	const vf u = splat(2.0f) / (t + splat(2.0f));
	vf series = splat(0.0187664677f);
	series = fma(series, u, splat(-0.1568326829f));
	series = fma(series, u, splat(0.5037037561f));
	series = fma(series, u, splat(-0.7636769785f));
	series = fma(series, u, splat(0.4937229699f));
	series = fma(series, u, splat(-0.1340835861f));
	series = fma(series, u, splat(0.2367694150f));
	series = fma(series, u, splat(0.2364906487f));
	series = fma(series, u, splat(0.2830857047f));
	series = fma(series, u, splat(0.2820542795f));
	const vf tail = series * u * gaussianOfX * splat(0.5f);
	return x < zero() ? tail : splat(1.0f) - tail;
}

}  // namespace vulntune::ISA
