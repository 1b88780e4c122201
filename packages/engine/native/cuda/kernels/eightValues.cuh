// Eight neighbours of a matrix at once.
#pragma once
#include "element.cuh"
#include "weights.cuh"

/** 4-bit codes [index, index + 8), two a byte, the first in its upper half; index a multiple of 8. */
static __device__ __forceinline__ Word eightCodes(const void* data, Count index, bool inWords) {
	const Byte* const bytes = static_cast<const Byte*>(data) + index / 2;
	if (inWords) return *reinterpret_cast<const Word*>(bytes);
	return bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (static_cast<Word>(bytes[3]) << 24);
}

/** What eight codes under one scale stand for. */
static __device__ __forceinline__ void valuesOfCodes(float (&values)[8], Word codes, const float* table, float scale) {
#pragma unroll
	for (int i = 0; i < 8; i++) {
		const int shift = 8 * (i / 2) + (i % 2 == 0 ? 4 : 0);
		values[i] = table[codes >> shift & 15u] * scale;
	}
}

/** Values [index, index + 8) of a matrix, all of them in it; index a multiple of 8. */
static __device__ __forceinline__ void eightValues(float (&values)[8], const Weight& weight, const float* table, Count index) {
	if (weight.storage == storageF32 && alignedTo(weight.data, 16)) {
		loadEight(values, static_cast<const float*>(weight.data) + index);
	} else if (weight.storage == storageBf16 && alignedTo(weight.data, 16)) {
		loadEight(values, static_cast<const Bfloat16*>(weight.data) + index);
	} else if (weight.storage == storageTable4) {
		valuesOfCodes(values, eightCodes(weight.data, index, alignedTo(weight.data, 4)), table, scaleOf(weight.scales, index / scaleBlock));
	} else {
#pragma unroll
		for (int i = 0; i < 8; i++) values[i] = valueOf(weight, index + i);
	}
}
