// Operands of products on tensor cores: any matrix in 16 bits, rows padded with zeros to a multiple of 8. As bfloat16, or for Turing as
// float16 whose rows or columns, whichever are not summed over, are divided by powers of two (lineScale.cuh).
#pragma once
#include "eightValues.cuh"
#include "lineScale.cuh"
#include "philox.cuh"
#include "reduce.cuh"

/** A matrix whose rows begin at element `first` of a weight, with dropout as `mask` says over the flat index from there. */
struct Source {
	Weight weight;
	/** The codebook of 4-bit weights, in shared memory. */
	const float* table;
	Count first;
	Mask mask;
};

static __device__ __forceinline__ void loadTable(float (&table)[16], const float* codebook, int storage) {
	if (storage != storageTable4) return;
	if (threadIdx.x < 16) table[threadIdx.x] = codebook[threadIdx.x];
	__syncthreads();
}

/** Elements [column, column + 8) of a row; zeros beyond it. */
static __device__ __forceinline__ void eightOf(float (&values)[8], const Source& source, Count row, int column) {
	const int columns = source.weight.columns;
	const Count index = row * columns + column;
	if (columns % 8 == 0 && source.first % 8 == 0) {
		eightValues(values, source.weight, source.table, source.first + index);
	} else {
#pragma unroll
		for (int j = 0; j < 8; j++) values[j] = column + j < columns ? valueOf(source.weight, source.first + index + j) : 0.0f;
	}
	dropEight(values, index, source.mask);
}

/**
 * target [rows, stride] = what `pack` makes of eight neighbours. A thread makes as many of these after one another as the grid leaves to it: several
 * of a large matrix, so that a block reads the codebook for more than one moment's work.
 */
template <class Pack>
static __device__ __forceinline__ void packMatrix(Half* target, int stride, int rows, const Source& source, Pack pack) {
	// numbers of 32 bits, since dividing longer ones takes as long as all the rest
	const Word chunks = stride / 8, count = rows * chunks, threads = gridDim.x * blockDim.x;
	const Word ofThread = (count - 1) / threads + 1;
	const Word start = blockIdx.x * blockDim.x * ofThread + threadIdx.x;
#pragma unroll 2
	for (Word i = 0; i < ofThread; i++) {
		const Word chunk = start + i * blockDim.x;
		if (chunk >= count) return;
		const int row = static_cast<int>(chunk / chunks), column = static_cast<int>(chunk % chunks) * 8;
		float values[8];
		eightOf(values, source, row, column);
		*reinterpret_cast<uint4*>(target + 8 * static_cast<Count>(chunk)) = pack(values, row, column);
	}
}

#ifdef BFLOAT16_TENSOR_CORES
/** target [rows, stride] bfloat16 = a matrix [rows, columns]. */
KERNEL matrixToBfloat16(Half* target, int stride, WEIGHT_PARAMETERS, Count first, int rows, int columns, Mask mask) {
	__shared__ float table[16];
	loadTable(table, codebook, storage);
	const Source source{WEIGHT_OF(columns), table, first, mask};
	packMatrix(target, stride, rows, source, [](const float(&values)[8], int, int) {
		return make_uint4(bfloat16Pair(values[0], values[1]), bfloat16Pair(values[2], values[3]),
						  bfloat16Pair(values[4], values[5]), bfloat16Pair(values[6], values[7]));
	});
}
#endif

#ifdef FLOAT16_TENSOR_CORES
/** Rows of a matrix that a thread of columnMaxima goes down. It stands once more in the backend's operands.ts. */
constexpr int maximaRows = 64;

/** largest [rows] = each row's largest magnitude, NaN where it has one; a warp a row. */
KERNEL rowMaxima(float* largest, WEIGHT_PARAMETERS, Count first, int rows, int columns, Mask mask) {
	__shared__ float table[16];
	loadTable(table, codebook, storage);
	const Source source{WEIGHT_OF(columns), table, first, mask};
	const Count row = threadInGrid() / warpSize32;
	if (row >= rows) return;
	float found = 0.0f;
	for (int column = threadIdx.x % warpSize32 * 8; column < columns; column += 8 * warpSize32) {
		float values[8];
		eightOf(values, source, row, column);
#pragma unroll
		for (int j = 0; j < 8; j++) found = largerOrNan(found, fabsf(values[j]));
	}
	found = overWarp<largerOrNan>(found);
	if (threadIdx.x % warpSize32 == 0) largest[row] = found;
}

/**
 * largest [columns] = the same of columns; 0 before. A thread eight columns of some rows. Floats that are not negative are in the order of
 * their bits, NaN last, and the largest whole number is the same in whatever order they come.
 */
KERNEL columnMaxima(float* largest, WEIGHT_PARAMETERS, Count first, int rows, int columns, Mask mask) {
	__shared__ float table[16];
	loadTable(table, codebook, storage);
	const Source source{WEIGHT_OF(columns), table, first, mask};
	const int column = 8 * static_cast<int>(threadInGrid());
	if (column >= columns) return;
	const int start = blockIdx.y * maximaRows, end = min(start + maximaRows, rows);
	float found[8] = {};
	for (int row = start; row < end; row++) {
		float values[8];
		eightOf(values, source, row, column);
#pragma unroll
		for (int j = 0; j < 8; j++) found[j] = largerOrNan(found[j], fabsf(values[j]));
	}
#pragma unroll
	for (int j = 0; j < 8; j++) {
		if (column + j < columns) atomicMax(reinterpret_cast<int*>(largest + column + j), static_cast<int>(__float_as_uint(found[j])));
	}
}

/** target [rows, stride] float16 = a matrix [rows, columns] whose rows, or columns, are divided by their powers of two. */
KERNEL matrixToFloat16(Half* target, int stride, const float* largest, int byColumn, WEIGHT_PARAMETERS, Count first, int rows,
					   int columns, Mask mask) {
	__shared__ float table[16];
	loadTable(table, codebook, storage);
	const Source source{WEIGHT_OF(columns), table, first, mask};
	packMatrix(target, stride, rows, source, [=](const float(&values)[8], int row, int column) {
		Word packed[4];
#pragma unroll
		for (int i = 0; i < 4; i++) {
			float pair[2];
#pragma unroll
			for (int j = 0; j < 2; j++) {
				const int at = byColumn ? min(column + 2 * i + j, columns - 1) : row;
				pair[j] = values[2 * i + j] * lineInverse(largest[at]);
			}
			packed[i] = float16Pair(pair[0], pair[1]);
		}
		return make_uint4(packed[0], packed[1], packed[2], packed[3]);
	});
}
#endif
