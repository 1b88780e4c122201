// Products of codes in 8 bits, exact in integers. A step of the depth is four bytes of codes, and a lane of the result
// gets the products of its step added: four codes of 8 bits where the processor multiplies those (VNNI, or NEON's dot
// product), else two that were widened to 16 bits.
#pragma once
#include "../simd.h"

#if defined(SIMD_GENERIC) && defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace vulntune::ISA {

// Elements along the depth that share a scale.
constexpr int int8Block = 64;

#if defined(SIMD_VNNI) || defined(SIMD_DOTPROD)
#define SIMD_BYTE_CODES
#endif

#if defined(SIMD_BYTE_CODES)
constexpr int codesPerStep = 4;
#else
constexpr int codesPerStep = 2;
#endif

#if defined(SIMD_VNNI)
// The instruction takes unsigned numbers on its left, so those codes are stored 128 too large; what that adds to a sum
// is known when the right operand is packed.
constexpr int32_t leftCodeSigns = static_cast<int32_t>(0x80808080);
#else
constexpr int32_t leftCodeSigns = 0;
#endif

constexpr int stepsPerBlock = int8Block / codesPerStep;

// Steps are read as words whatever they hold. Not the vector type of the intrinsics: GCC 12 keeps sums of that type in
// memory.
using CodeWords = int32_t __attribute__((vector_size(W * 4)));

inline CodeWords loadWords(const int32_t* p) {
	CodeWords v;
	memcpy(&v, p, sizeof v);
	return v;
}

inline void storeWords(int32_t* p, CodeWords v) { memcpy(p, &v, sizeof v); }

inline CodeWords splatWord(int32_t word) { return word - CodeWords{}; }

inline vf floatFromWords(CodeWords v) { return __builtin_convertvector(v, vf); }

inline CodeWords dotCodes(CodeWords sum, CodeWords left, CodeWords right) {
#if defined(SIMD_VNNI)
#if defined(SIMD_AVX512)
	return CodeWords(_mm512_dpbusd_epi32(vi(sum), vi(left), vi(right)));
#else
	return CodeWords(_mm256_dpbusd_avx_epi32(vi(sum), vi(left), vi(right)));
#endif
#elif defined(SIMD_AVX512)
	return sum + CodeWords(_mm512_madd_epi16(vi(left), vi(right)));
#elif defined(SIMD_AVX2)
	return sum + CodeWords(_mm256_madd_epi16(vi(left), vi(right)));
#elif defined(__SSE2__)
	return sum + CodeWords(_mm_madd_epi16(__m128i(left), __m128i(right)));
#elif defined(SIMD_WASM)
	using Codes = int16_t __attribute__((vector_size(16)));
	return sum + CodeWords(__builtin_wasm_dot_s_i32x4_i16x8(Codes(left), Codes(right)));
#elif defined(SIMD_DOTPROD)
	return CodeWords(vdotq_s32(int32x4_t(sum), int8x16_t(left), int8x16_t(right)));
#elif defined(__aarch64__)
	const int16x8_t a = int16x8_t(left);
	const int16x8_t b = int16x8_t(right);
	const int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
	return sum + CodeWords(vpaddq_s32(low, vmull_high_s16(a, b)));
#else
	return sum + (left << 16 >> 16) * (right << 16 >> 16) + (left >> 16) * (right >> 16);
#endif
}

}  // namespace vulntune::ISA
