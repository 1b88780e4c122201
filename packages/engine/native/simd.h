// Vectors of W floats, the same names for every instruction set. `vf` takes the operators + - * / of GCC's and
// Clang's vector types; products are only fused where `fma` says so (the build turns contraction off), so that
// a kernel's results don't depend on what the compiler made of a line.
//
// Partial loads and stores touch the first n elements only, 0 ≤ n ≤ W; the rest of a loaded vector is 0.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(SIMD_AVX512) || defined(SIMD_AVX2)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace vulntune::ISA {

#define UNROLL _Pragma("GCC unroll 16")

template <typename T>
inline T minimum(T a, T b) {
	return a < b ? a : b;
}

template <typename T>
inline T maximum(T a, T b) {
	return a > b ? a : b;
}

template <bool condition, typename Yes, typename No>
struct Choose {
	using Type = Yes;
};
template <typename Yes, typename No>
struct Choose<false, Yes, No> {
	using Type = No;
};

inline int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// ── scalars of 16 bits ─────────────────────────────────────────────────────────────────────────────────────────

inline float floatFromBits(uint32_t bits) {
	float value;
	memcpy(&value, &bits, 4);
	return value;
}

inline uint32_t bitsOf(float value) {
	uint32_t bits;
	memcpy(&bits, &value, 4);
	return bits;
}

inline float bf16ToFloat(uint16_t half) { return floatFromBits(uint32_t{half} << 16); }

// Round to nearest even; NaN stays NaN.
inline uint16_t floatToBf16(float value) {
	const uint32_t bits = bitsOf(value);
	if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);
	return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float f16ToFloat(uint16_t half) {
	const uint32_t sign = uint32_t{half & 0x8000u} << 16;
	const uint32_t magnitude = half & 0x7fff;
	if (magnitude >= 0x7c00) return floatFromBits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
	// Shifted into place, the exponent is 112 too small; a product mends it and makes subnormals right too.
	const float value = floatFromBits(magnitude << 13) * floatFromBits(0x77800000);
	return floatFromBits(bitsOf(value) | sign);
}

// Round to nearest even; NaN stays NaN.
inline uint16_t floatToF16(float value) {
	const uint32_t sign = bitsOf(value) >> 16 & 0x8000;
	uint32_t bits = bitsOf(value) & 0x7fffffff;
	if (bits > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
	if (bits >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
	if (bits < 0x38800000) {
		// Below the smallest normal number: adding 0.5 leaves the rounded multiple of 2^-24 in the lowest bits.
		return static_cast<uint16_t>(sign | (bitsOf(floatFromBits(bits) + 0.5f) - 0x3f000000));
	}
	bits += 0xc8000fff + (bits >> 13 & 1);
	return static_cast<uint16_t>(sign | bits >> 13);
}

// ── vectors ────────────────────────────────────────────────────────────────────────────────────────────────────

#if defined(SIMD_AVX512)

constexpr int W = 16;
using vf = __m512;
using vi = __m512i;

inline __mmask16 firstLanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }

inline vf splat(float value) { return _mm512_set1_ps(value); }
inline vf load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, vf v) { _mm512_storeu_ps(p, v); }
inline vf loadPartial(const float* p, int n) { return _mm512_maskz_loadu_ps(firstLanes(n), p); }
inline void storePartial(float* p, vf v, int n) { _mm512_mask_storeu_ps(p, firstLanes(n), v); }
inline vf fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
inline vf max(vf a, vf b) { return _mm512_max_ps(a, b); }
inline vf min(vf a, vf b) { return _mm512_min_ps(a, b); }
inline vf sqrt(vf a) { return _mm512_sqrt_ps(a); }
inline vf loadBf16(const uint16_t* p) {
	return _mm512_castsi512_ps(
		_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
}
inline vf loadF16(const uint16_t* p) {
	return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

#elif defined(SIMD_AVX2)

constexpr int W = 8;
using vf = __m256;
using vi = __m256i;

inline vi firstLanes(int n) {
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline vf splat(float value) { return _mm256_set1_ps(value); }
inline vf load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, vf v) { _mm256_storeu_ps(p, v); }
inline vf loadPartial(const float* p, int n) { return _mm256_maskload_ps(p, firstLanes(n)); }
inline void storePartial(float* p, vf v, int n) { _mm256_maskstore_ps(p, firstLanes(n), v); }
inline vf fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
inline vf max(vf a, vf b) { return _mm256_max_ps(a, b); }
inline vf min(vf a, vf b) { return _mm256_min_ps(a, b); }
inline vf sqrt(vf a) { return _mm256_sqrt_ps(a); }
inline vf loadBf16(const uint16_t* p) {
	return _mm256_castsi256_ps(
		_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
}
inline vf loadF16(const uint16_t* p) {
	return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

#else

constexpr int W = 4;
using vf = float __attribute__((vector_size(16)));
using vi = int32_t __attribute__((vector_size(16)));

inline vf splat(float value) { return vf{value, value, value, value}; }
inline vf load(const float* p) {
	vf v;
	memcpy(&v, p, sizeof v);
	return v;
}
inline void store(float* p, vf v) { memcpy(p, &v, sizeof v); }
inline vf loadPartial(const float* p, int n) {
	vf v = {};
	for (int i = 0; i < n; i++) v[i] = p[i];
	return v;
}
inline void storePartial(float* p, vf v, int n) {
	for (int i = 0; i < n; i++) p[i] = v[i];
}
inline vf fma(vf a, vf b, vf c) {
#if defined(__aarch64__)
	return vf(vfmaq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b)));
#elif defined(SIMD_WASM)
	return __builtin_wasm_relaxed_madd_f32x4(a, b, c);
#else
	return a * b + c;
#endif
}
#if defined(__aarch64__)
// a × one lane of b + c
template <int lane>
inline vf fmaLane(vf a, vf b, vf c) {
	return vf(vfmaq_laneq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b), lane));
}
#endif
inline vf max(vf a, vf b) { return a > b ? a : b; }
inline vf min(vf a, vf b) { return a < b ? a : b; }
inline vf sqrt(vf a) {
#if defined(__aarch64__)
	return vf(vsqrtq_f32(float32x4_t(a)));
#elif defined(SIMD_WASM)
	return __builtin_wasm_sqrt_f32x4(a);
#else
	return vf{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
#endif
}
#if defined(__aarch64__)
inline vf loadBf16(const uint16_t* p) { return vf(vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))); }
inline vf loadF16(const uint16_t* p) { return vf(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))); }
#else
inline vf loadBf16(const uint16_t* p) {
	return vf{bf16ToFloat(p[0]), bf16ToFloat(p[1]), bf16ToFloat(p[2]), bf16ToFloat(p[3])};
}
inline vf loadF16(const uint16_t* p) {
	return vf{f16ToFloat(p[0]), f16ToFloat(p[1]), f16ToFloat(p[2]), f16ToFloat(p[3])};
}
#endif

#endif

inline vf zero() { return splat(0.0f); }

// Sum and maximum of the lanes, always in the same order: halves, then halves of those.
inline float sum(vf v) {
	float lanes[W];
	store(lanes, v);
	for (int half = W / 2; half > 0; half /= 2) {
		for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
	}
	return lanes[0];
}

inline float largest(vf v) {
	float lanes[W];
	store(lanes, v);
	for (int half = W / 2; half > 0; half /= 2) {
		for (int i = 0; i < half; i++) lanes[i] = maximum(lanes[i], lanes[i + half]);
	}
	return lanes[0];
}

}  // namespace vulntune::ISA
