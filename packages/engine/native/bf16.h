// The bfloat16 instructions of AVX-512, or what stands in for them when the test-only level emulates them.
#pragma once
#include "simd.h"

#if defined(SIMD_BF16)

namespace vulntune::ISA {

#if defined(SIMD_BF16_EMULATED)

// To nearest even; NaN stays NaN.
inline __m256i roundToBf16(vf v) {
	const vi bits = _mm512_castps_si512(v);
	const vi odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
	vi rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
	rounded = _mm512_mask_or_epi32(
		rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
	return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}

// Both, `low` in the lower half.
inline vi roundPairToBf16(vf low, vf high) {
	return _mm512_inserti64x4(_mm512_castsi256_si512(roundToBf16(low)), roundToBf16(high), 1);
}

// sum + a₁ b₁ + a₀ b₀ in each lane of two bfloat16 numbers.
inline vf dotBf16(vf sum, vf a, vf b) {
	const vi high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
	const vi x = _mm512_castps_si512(a);
	const vi y = _mm512_castps_si512(b);
	sum = fma(_mm512_castsi512_ps(_mm512_and_si512(x, high)), _mm512_castsi512_ps(_mm512_and_si512(y, high)), sum);
	return fma(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), sum);
}

#else

inline __m256i roundToBf16(vf v) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)); }

inline vi roundPairToBf16(vf low, vf high) { return reinterpret_cast<vi>(_mm512_cvtne2ps_pbh(high, low)); }

inline vf dotBf16(vf sum, vf a, vf b) {
	return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

#endif

// Both in each lane, `even` in its lower half.
inline vf roundLanesToBf16(vf even, vf odd) {
	const vi lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	// lane i takes the halves i and W + i
	const vi halves = _mm512_or_si512(lane, _mm512_slli_epi32(_mm512_or_si512(lane, _mm512_set1_epi32(W)), 16));
	return _mm512_castsi512_ps(_mm512_permutexvar_epi16(halves, roundPairToBf16(even, odd)));
}

// out[0 … length - 1] = values, rounded.
inline void storeBf16(uint16_t* out, const float* values, int length) {
	int i = 0;
	for (; i + 2 * W <= length; i += 2 * W) {
		_mm512_storeu_si512(out + i, roundPairToBf16(load(values + i), load(values + i + W)));
	}
	const int rest = length - i;
	const __mmask32 lanes = static_cast<__mmask32>((uint64_t{1} << rest) - 1);
	const vf low = loadPartial(values + i, minimum(rest, W));
	const vf high = rest > W ? loadPartial(values + i + W, rest - W) : zero();
	_mm512_mask_storeu_epi16(out + i, lanes, roundPairToBf16(low, high));
}

}  // namespace vulntune::ISA

#endif
