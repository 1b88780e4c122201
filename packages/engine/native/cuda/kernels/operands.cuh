// Operands of products on tensor cores: any matrix as bfloat16, rows padded with zeros to a multiple of 8.
#pragma once
#include "philox.cuh"
#include "weights.cuh"

static __device__ __forceinline__ bool alignedTo(const void* pointer, int bytes) {
	return reinterpret_cast<unsigned long long>(pointer) % bytes == 0;
}

/** Values [index, index + 8) of a matrix, all of them in it; index a multiple of 8. */
static __device__ __forceinline__ void eightValues(float (&values)[8], const Weight& weight, const float* table, Count index) {
	if (weight.storage == storageF32 && alignedTo(weight.data, 16)) {
		const float4* source = reinterpret_cast<const float4*>(static_cast<const float*>(weight.data) + index);
		const float4 low = source[0], high = source[1];
		values[0] = low.x, values[1] = low.y, values[2] = low.z, values[3] = low.w;
		values[4] = high.x, values[5] = high.y, values[6] = high.z, values[7] = high.w;
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

/**
 * target [rows, stride] = rows of a matrix [·, columns] from element `first` on, with dropout as `mask` says over the flat index
 * from there. A thread 8 elements.
 */
KERNEL matrixToBfloat16(Half* target, int stride, const void* data, const float* scales, const float* codebook, int storage,
						Count first, int rows, int columns, Mask mask) {
	__shared__ float table[16];
	if (storage == storageTable4) {
		if (threadIdx.x < 16) table[threadIdx.x] = codebook[threadIdx.x];
		__syncthreads();
	}
	const int chunks = stride / 8;
	const Count chunk = threadInGrid();
	if (chunk >= static_cast<Count>(rows) * chunks) return;
	const Weight weight{data, scales, codebook, storage, columns};
	const int column = static_cast<int>(chunk % chunks) * 8;
	const Count index = chunk / chunks * columns + column;
	float values[8];
	if (columns % 8 == 0 && first % 8 == 0) {
		eightValues(values, weight, table, first + index);
		if (mask.threshold > 0) {
			const Random random = philox(static_cast<Word>(index >> 3), mask.stream, mask.key0, mask.key1);
#pragma unroll
			for (int i = 0; i < 8; i++) values[i] *= keptFactor(random, i, mask);
		}
	} else {
#pragma unroll
		for (int i = 0; i < 8; i++) {
			values[i] = column + i < columns ? valueOf(weight, first + index + i) * keptFactor(index + i, mask) : 0.0f;
		}
	}
	const uint4 packed = make_uint4(bfloat16Pair(values[0], values[1]), bfloat16Pair(values[2], values[3]),
									bfloat16Pair(values[4], values[5]), bfloat16Pair(values[6], values[7]));
	*reinterpret_cast<uint4*>(target + 8 * chunk) = packed;
}
