// The types in which activations lie: float, or bfloat16, which takes half the memory. Kernels compute in float whichever it is, and round
// where they write.
#pragma once
#include "../language.cuh"

struct Bfloat16 {
	Half bits;
};

/** Defines kernels for each type: under their names for float, with Bf16 behind them for bfloat16 (`kernelFor` in the backend's device.ts). */
#define FOR_ELEMENTS(DEFINE) DEFINE(, float) DEFINE(Bf16, Bfloat16)

static __device__ __forceinline__ float floatOf(float value) { return value; }
static __device__ __forceinline__ float floatOf(Bfloat16 value) { return floatOfBfloat16(value.bits); }

/** target = value, or target += value. */
static __device__ __forceinline__ void store(float* target, float value, int accumulate) {
	*target = accumulate ? *target + value : value;
}
static __device__ __forceinline__ void store(Bfloat16* target, float value, int accumulate) {
	target->bits = bfloat16OfFloat(accumulate ? floatOf(*target) + value : value);
}

static __device__ __forceinline__ bool alignedTo(const void* pointer, int bytes) {
	return reinterpret_cast<unsigned long long>(pointer) % bytes == 0;
}

/** Two neighbours at a multiple of their size. */
static __device__ __forceinline__ void storePair(float* target, float first, float second, int accumulate) {
	float2* const pair = reinterpret_cast<float2*>(target);
	*pair = accumulate ? make_float2(pair->x + first, pair->y + second) : make_float2(first, second);
}
static __device__ __forceinline__ void storePair(Bfloat16* target, float first, float second, int accumulate) {
	Word* const pair = reinterpret_cast<Word*>(target);
	if (accumulate) {
		first += floatOfBfloat16(static_cast<Half>(*pair & 0xffffu));
		second += floatOfBfloat16(static_cast<Half>(*pair >> 16));
	}
	*pair = bfloat16Pair(first, second);
}

/** Whether rows of this length hold neighbours at multiples of their size. */
template <class Element>
static __device__ __forceinline__ bool storesPairs(const Element* rows, int length) {
	return length % 2 == 0 && alignedTo(rows, 2 * sizeof(Element));
}

/** Elements at and at + 1, `at` being even, as far as the row of `length` has them; at once where `inPairs`. */
template <class Element>
static __device__ __forceinline__ void storeTwo(Element* row, int at, int length, float first, float second, int accumulate, bool inPairs) {
	if (inPairs) {
		if (at < length) storePair(row + at, first, second, accumulate);
		return;
	}
	if (at < length) store(row + at, first, accumulate);
	if (at + 1 < length) store(row + at + 1, second, accumulate);
}

/** Eight elements as they lie in memory: a thread that reads them computes on until it needs their values. */
template <class Element>
struct Eight;
template <>
struct Eight<float> {
	float values[8] = {};

	__device__ __forceinline__ void load(const float* source) {
		const float4 low = reinterpret_cast<const float4*>(source)[0], high = reinterpret_cast<const float4*>(source)[1];
		values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
		values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
	}
	__device__ __forceinline__ void set(int i, float value) { values[i] = value; }
	__device__ __forceinline__ float get(int i) const { return values[i]; }
};
template <>
struct Eight<Bfloat16> {
	Word pairs[4] = {};

	__device__ __forceinline__ void load(const Bfloat16* source) {
		const uint4 packed = *reinterpret_cast<const uint4*>(source);
		pairs[0] = packed.x, pairs[1] = packed.y, pairs[2] = packed.z, pairs[3] = packed.w;
	}
	/** Where nothing has been set yet. */
	__device__ __forceinline__ void set(int i, Bfloat16 value) { pairs[i / 2] |= static_cast<Word>(value.bits) << (16 * (i % 2)); }
	__device__ __forceinline__ float get(int i) const { return floatOfBfloat16(static_cast<Half>(pairs[i / 2] >> (16 * (i % 2)))); }
};

/** Elements [first, first + 8) of `length`; zeros beyond the end. `inSixteens`: they begin at a multiple of 16 bytes, and are all there or none. */
template <class Element>
static __device__ __forceinline__ Eight<Element> eightOf(const Element* source, int first, int length, bool inSixteens) {
	Eight<Element> eight;
	if (inSixteens) {
		if (first < length) eight.load(source + first);
	} else {
#pragma unroll
		for (int i = 0; i < 8; i++) {
			if (first + i < length) eight.set(i, source[first + i]);
		}
	}
	return eight;
}

/** Whether rows of this length can be read and written eight elements at a time, from multiples of 16 bytes. */
template <class Element>
static __device__ __forceinline__ bool inSixteens(const Element* rows, int length) {
	return length % 8 == 0 && alignedTo(rows, 16);
}

/** Eight elements that begin at a multiple of 16 bytes. */
template <class Element>
static __device__ __forceinline__ void loadEight(float (&values)[8], const Element* source) {
	Eight<Element> eight;
	eight.load(source);
#pragma unroll
	for (int i = 0; i < 8; i++) values[i] = eight.get(i);
}
static __device__ __forceinline__ void storeEight(float* target, const float (&values)[8]) {
	reinterpret_cast<float4*>(target)[0] = make_float4(values[0], values[1], values[2], values[3]);
	reinterpret_cast<float4*>(target)[1] = make_float4(values[4], values[5], values[6], values[7]);
}
static __device__ __forceinline__ void storeEight(Bfloat16* target, const float (&values)[8]) {
	*reinterpret_cast<uint4*>(target) = make_uint4(bfloat16Pair(values[0], values[1]), bfloat16Pair(values[2], values[3]),
												   bfloat16Pair(values[4], values[5]), bfloat16Pair(values[6], values[7]));
}

/** Elements [first, first + 8) of `length`; zeros beyond the end. */
template <class Element>
static __device__ __forceinline__ void loadEight(float (&values)[8], const Element* source, Count first, Count length) {
	if (first + 8 <= length && alignedTo(source + first, 16)) {
		loadEight(values, source + first);
		return;
	}
#pragma unroll
	for (int i = 0; i < 8; i++) values[i] = first + i < length ? floatOf(source[first + i]) : 0.0f;
}

/** The same of a target; nothing beyond the end is written. */
template <class Element>
static __device__ __forceinline__ void storeEight(Element* target, const float (&values)[8], Count first, Count length) {
	if (first + 8 <= length && alignedTo(target + first, 16)) {
		storeEight(target + first, values);
		return;
	}
#pragma unroll
	for (int i = 0; i < 8; i++) {
		if (first + i < length) store(target + first + i, values[i], 0);
	}
}

/** target = combine(a, b), eight neighbours a thread; target may be one of these. */
template <class Element, class Combine>
static __device__ __forceinline__ void combineEight(Element* target, const Element* a, const Element* b, Count count, Combine combine) {
	const Count first = 8 * threadInGrid();
	float left[8], right[8];
	loadEight(left, a, first, count);
	loadEight(right, b, first, count);
#pragma unroll
	for (int i = 0; i < 8; i++) left[i] = combine(left[i], right[i]);
	storeEight(target, left, first, count);
}
