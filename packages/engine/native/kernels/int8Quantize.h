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

#if defined(SIMD_BYTE_CODES)

// Four vectors of codes in 32 bits become bytes, those of each vector in a quarter of every group of 16 bytes.
inline CodeWords packBytes(vf a, vf b, vf c, vf d) {
#if defined(SIMD_AVX512)
	return CodeWords(_mm512_packs_epi16(
		_mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b)),
		_mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d))));
#elif defined(__aarch64__)
	return CodeWords(vcombine_s8(
		vqmovn_s16(vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a)), vqmovn_s32(vcvtnq_s32_f32(b)))),
		vqmovn_s16(vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(c)), vqmovn_s32(vcvtnq_s32_f32(d))))));
#else
	return CodeWords(_mm256_packs_epi16(
		_mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b)),
		_mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d))));
#endif
}

// The codes of a row in their order.
inline CodeWords rowCodes(const float* values, vf inverse) {
	const CodeWords quarters = packBytes(
		load(values) * inverse, load(values + W) * inverse, load(values + 2 * W) * inverse,
		load(values + 3 * W) * inverse);
#if defined(SIMD_AVX512)
	const vi order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
	return CodeWords(_mm512_permutexvar_epi32(order, vi(quarters)));
#elif defined(__aarch64__)
	return quarters;
#else
	const vi order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	return CodeWords(_mm256_permutevar8x32_epi32(vi(quarters), order));
#endif
}

// Bytes of four rows, as packBytes leaves them, become four bytes of one column each.
inline CodeWords columnsOfBytes(CodeWords bytes) {
	static constexpr uint8_t order[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
#if defined(SIMD_AVX512)
	return CodeWords(_mm512_shuffle_epi8(vi(bytes), _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(order)))));
#elif defined(__aarch64__)
	return CodeWords(vqtbl1q_s8(int8x16_t(bytes), vld1q_u8(order)));
#else
	return CodeWords(_mm256_shuffle_epi8(vi(bytes), _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(order)))));
#endif
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
