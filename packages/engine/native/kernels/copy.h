// Copies between the dense float types. Rounding is to nearest even; infinities and NaN survive.
#pragma once
#include "loops.h"
#include "math.h"

namespace vulntune::ISA {

using HalfLanes = uint16_t __attribute__((vector_size(W * 2)));
using vunsigned = uint32_t __attribute__((vector_size(W * 4)));

inline vunsigned widen(const uint16_t* p) {
	HalfLanes half;
	memcpy(&half, p, sizeof half);
	return __builtin_convertvector(half, vunsigned);
}

inline void narrow(uint16_t* p, vunsigned bits) {
	const HalfLanes half = __builtin_convertvector(bits, HalfLanes);
	memcpy(p, &half, sizeof half);
}

struct Bf16 {
	static vf decode(const uint16_t* p) { return (vf)(widen(p) << 16); }

	static void encode(uint16_t* p, vf value) {
		const vunsigned bits = (vunsigned)value;
		const vunsigned rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
		narrow(p, (bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
	}
};

struct F16 {
	static vf decode(const uint16_t* p) {
		const vunsigned half = widen(p);
		const vunsigned magnitude = half & 0x7fff;
		// Shifted into place, the exponent is 112 too small; a product mends it and makes subnormals right too.
		const vf finite = (vf)(magnitude << 13) * splat(floatFromBits(0x77800000));
		const vunsigned bits = magnitude >= 0x7c00 ? (magnitude << 13) | 0x7f800000 : (vunsigned)finite;
		return (vf)(bits | (half & 0x8000) << 16);
	}

	static void encode(uint16_t* p, vf value) {
		const vunsigned sign = ((vunsigned)value >> 16) & 0x8000;
		const vunsigned bits = (vunsigned)value & 0x7fffffff;
		// Below the smallest normal number, adding 0.5 leaves the rounded multiple of 2^-24 in the lowest bits.
		const vunsigned small = (vunsigned)((vf)bits + splat(0.5f)) - 0x3f000000;
		vunsigned half = (bits + 0xc8000fff + ((bits >> 13) & 1)) >> 13;
		half = bits < 0x38800000 ? small : half;
		half = bits >= 0x477ff000 ? (vunsigned){} + 0x7c00 : half;
		half = bits > 0x7f800000 ? (vunsigned){} + 0x7e00 : half;
		narrow(p, half | sign);
	}
};

struct F32 {
	static vf decode(const float* p) { return load(p); }
	static void encode(float* p, vf value) { store(p, value); }
};

template <typename Target, typename Source, typename T, typename S>
inline void convert(Pool& pool, T* target, const S* source, int64_t length) {
	inPieces(pool, length, elementsPerTask, [=](int64_t begin, int64_t end) {
		int64_t i = begin;
		for (; i + W <= end; i += W) Target::encode(target + i, Source::decode(source + i));
		if (i == end) return;
		S in[W] = {};
		T out[W];
		memcpy(in, source + i, (end - i) * sizeof(S));
		Target::encode(out, Source::decode(in));
		memcpy(target + i, out, (end - i) * sizeof(T));
	});
}

static void copyBytes(Pool& pool, uint8_t* target, const uint8_t* source, int64_t bytes) {
	inPieces(pool, bytes, elementsPerTask * 4, [=](int64_t begin, int64_t end) {
		memcpy(target + begin, source + begin, end - begin);
	});
}

static void bf16FromF32(Pool& pool, uint16_t* target, const float* source, int64_t length) {
	convert<Bf16, F32>(pool, target, source, length);
}

static void f16FromF32(Pool& pool, uint16_t* target, const float* source, int64_t length) {
	convert<F16, F32>(pool, target, source, length);
}

static void f32FromBf16(Pool& pool, float* target, const uint16_t* source, int64_t length) {
	convert<F32, Bf16>(pool, target, source, length);
}

static void f32FromF16(Pool& pool, float* target, const uint16_t* source, int64_t length) {
	convert<F32, F16>(pool, target, source, length);
}

static void f16FromBf16(Pool& pool, uint16_t* target, const uint16_t* source, int64_t length) {
	convert<F16, Bf16>(pool, target, source, length);
}

static void bf16FromF16(Pool& pool, uint16_t* target, const uint16_t* source, int64_t length) {
	convert<Bf16, F16>(pool, target, source, length);
}

}  // namespace vulntune::ISA
