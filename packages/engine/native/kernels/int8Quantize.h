// From float32 to codes in 8 bits: code = round(value × 127 / absmax), to nearest even, with the largest magnitude of
// each block of 64 along the depth. All instruction sets make the same codes: the reciprocal and the product are each
// rounded to float32.
#pragma once
#include "int8Dot.h"
#include "transpose.h"

namespace vulntune::ISA {

// Below this the reciprocal would overflow; such a block counts as zeros.
constexpr float smallestAbsmax = 1e-36f;

// Magnitudes are compared as integers, which puts infinity above all numbers and NaN above infinity. So a block that
// is not finite gets a scale that is not finite, and its codes don't matter.
inline CodeWords magnitude(vf v) { return CodeWords(v) & 0x7fffffff; }
inline CodeWords larger(CodeWords a, CodeWords b) { return a > b ? a : b; }

// Of one block in each lane.
struct BlockScales {
	vf scale;
	vf inverse;
};

inline BlockScales scalesOf(vf absmax) {
	const vf most = splat(127.0f);
	return {absmax / most, absmax < splat(smallestAbsmax) ? zero() : most / absmax};
}

inline CodeWords absmaxLanes(const float* values) {
	CodeWords largest = {};
	UNROLL for (int i = 0; i < int8Block; i += W) largest = larger(largest, magnitude(load(values + i)));
	return largest;
}

// Lane j of the result is the largest lane of v[j].
inline __attribute__((always_inline)) vf largestOf(vf (&v)[W]) {
	UNROLL for (int count = W / 2; count > 0; count /= 2) {
		UNROLL for (int i = 0; i < count; i++) {
			v[i] = vf(larger(CodeWords(interleaveLow(v[i], v[i + count])), CodeWords(interleaveHigh(v[i], v[i + count]))));
		}
	}
	return v[0];
}

#if defined(SIMD_VNNI)

// Four vectors of codes in 32 bits become bytes, those of each vector in a quarter of every group of 16 bytes.
inline CodeWords packBytes(vf a, vf b, vf c, vf d) {
	return CodeWords(_mm512_packs_epi16(
		_mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b)),
		_mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d))));
}

// The codes of a block of a row in their order.
inline CodeWords blockCodes(const float* values, vf inverse) {
	const vi order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
	const CodeWords quarters = packBytes(
		load(values) * inverse, load(values + W) * inverse, load(values + 2 * W) * inverse,
		load(values + 3 * W) * inverse);
	return CodeWords(_mm512_permutexvar_epi32(order, vi(quarters)));
}

#else

// The code of each lane in the lower half: adding 1.5 × 2^23 leaves the rounded number in the lowest bits.
inline CodeWords codeOfLanes(vf scaled) { return CodeWords(scaled + splat(12582912.0f)); }

// The codes of a block of a row in their order.
inline void quantizeRow(const float* values, float inverse, int32_t* steps) {
	using Halves = int16_t __attribute__((vector_size(W * 2)));
	auto* out = reinterpret_cast<uint8_t*>(steps);
	UNROLL for (int i = 0; i < int8Block; i += W) {
		const CodeWords codes = codeOfLanes(load(values + i) * splat(inverse));
		const Halves halves = __builtin_convertvector(codes, Halves);
		memcpy(out + i * sizeof(int16_t), &halves, sizeof halves);
	}
}

#endif

}  // namespace vulntune::ISA
