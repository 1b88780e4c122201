// Eight neighbours of a matrix at once.
#pragma once
#include "element.cuh"
#include "weights.cuh"

/** Values [index, index + 8) of a matrix, all of them in it; index a multiple of 8. */
static __device__ __forceinline__ void eightValues(float (&values)[8], const Weight& weight, const float* table, Count index) {
	if (weight.storage == storageF32 && alignedTo(weight.data, 16)) {
		loadEight(values, static_cast<const float*>(weight.data) + index);
	} else if (weight.storage == storageBf16 && alignedTo(weight.data, 16)) {
		loadEight(values, static_cast<const Bfloat16*>(weight.data) + index);
	} else if (weight.storage == storageTable4 && alignedTo(weight.data, 4)) {
		const Word codes = *reinterpret_cast<const Word*>(static_cast<const Byte*>(weight.data) + index / 2);
		const float scale = weight.scales[index / scaleBlock];
#pragma unroll
		for (int i = 0; i < 8; i++) {
			const int shift = 8 * (i / 2) + (i % 2 == 0 ? 4 : 0);
			values[i] = table[codes >> shift & 15u] * scale;
		}
	} else {
#pragma unroll
		for (int i = 0; i < 8; i++) values[i] = valueOf(weight, index + i);
	}
}
