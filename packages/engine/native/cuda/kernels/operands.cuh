// Operands of products on tensor cores: any matrix as bfloat16, rows padded with zeros to a multiple of 8.
#pragma once
#include "eightValues.cuh"
#include "philox.cuh"

/**
 * target [rows, stride] = rows of a matrix [·, columns] from element `first` on, with dropout as `mask` says over the flat index
 * from there. A thread 8 elements after one another, so that a block reads the codebook for more
 * than one moment's work. `chunksPerThread` stands once more in the backend's products.ts.
 */
constexpr Word chunksPerThread = 8;

KERNEL matrixToBfloat16(Half* target, int stride, const void* data, const float* scales, const float* codebook, int storage,
						Count first, int rows, int columns, Mask mask) {
	__shared__ float table[16];
	if (storage == storageTable4) {
		if (threadIdx.x < 16) table[threadIdx.x] = codebook[threadIdx.x];
		__syncthreads();
	}
	// numbers of 32 bits, since dividing longer ones takes as long as all the rest
	const Word chunks = stride / 8, count = rows * chunks;
	const Weight weight{data, scales, codebook, storage, columns};
	const Word start = blockIdx.x * blockDim.x * chunksPerThread + threadIdx.x;
#pragma unroll 2
	for (Word i = 0; i < chunksPerThread; i++) {
		const Word chunk = start + i * blockDim.x;
		if (chunk >= count) return;
		const int column = static_cast<int>(chunk % chunks) * 8;
		const Count index = static_cast<Count>(chunk / chunks) * columns + column;
		float values[8];
		if (columns % 8 == 0 && first % 8 == 0) {
			eightValues(values, weight, table, first + index);
		} else {
#pragma unroll
			for (int j = 0; j < 8; j++) values[j] = column + j < columns ? valueOf(weight, first + index + j) : 0.0f;
		}
		dropEight(values, index, mask);
		const uint4 packed = make_uint4(bfloat16Pair(values[0], values[1]), bfloat16Pair(values[2], values[3]),
										bfloat16Pair(values[4], values[5]), bfloat16Pair(values[6], values[7]));
		*reinterpret_cast<uint4*>(target + 8 * static_cast<Count>(chunk)) = packed;
	}
}
