// Products of few rows with 4-bit weights, which become bfloat16 inside the product: the numbers, the steps and so the bytes of a product whose
// weights were dequantised before, for an eighth of what that moves.
#pragma once
#include "eightValues.cuh"
#include "throughRegisters.cuh"

#ifdef BFLOAT16_TENSOR_CORES
/** A thread's chunks of a tile of 4-bit weights whose rows have multiples of 8 elements. */
template <class OperandTile>
struct CodeChunks {
	static_assert(OperandTile::chunksPerThread <= 32, "a bit says whether a chunk is there");
	const Byte* data;
	const float* scales;
	int rowLength;
	/** The codebook in shared memory. */
	const float* table;
	Word codes[OperandTile::chunksPerThread];
	float chunkScales[OperandTile::chunksPerThread];
	Word present;

	__device__ __forceinline__ void read(int first, int count, int depthFirst, int depth) {
		const bool inWords = alignedTo(data, 4);
		present = 0;
		OperandTile::forChunks(first, count, depthFirst, depth, [this, inWords](int i, int outer, int inner, bool there) {
			const Count at = there ? static_cast<Count>(outer) * rowLength + inner : 0;
			codes[i] = eightCodes(data, at, inWords);
			chunkScales[i] = scales[at / scaleBlock];
			present |= static_cast<Word>(there) << i;
		});
	}
	__device__ __forceinline__ void write(Half* tile) const {
#pragma unroll
		for (int i = 0; i < OperandTile::chunksPerThread; i++) {
			float values[8] = {};
			if (present >> i & 1u) valuesOfCodes(values, codes[i], table, chunkScales[i]);
			storeEight(reinterpret_cast<Bfloat16*>(tile + OperandTile::placeOfChunk(i)), values);
		}
	}
};

template <class Tiles, class Element>
static __device__ __forceinline__ void multiplyCodes(Element* out, int accumulate, float scale, const Operand& left, const Byte* codes,
													 const float* scales, int rowLength, const float* codebook, int rows, int columns, int depth) {
	__shared__ float table[16];
	if (threadIdx.x < 16) table[threadIdx.x] = codebook[threadIdx.x];
	__syncthreads();
	DYNAMIC_SHARED(shared);
	const Place place = Tiles::place(rows, columns);
	typename Tiles::template Sums<multiplyBfloat16> result;
	Chunks<typename Tiles::Left> leftChunks{left};
	CodeChunks<typename Tiles::Right> rightChunks{codes, scales, rowLength, table};
	addThroughRegisters<Tiles>(result, leftChunks, rightChunks, reinterpret_cast<Half*>(shared), place, rows, columns, depth);
	result.write(out, accumulate, rows, columns, place, [scale](int) { return scale; });
}

// The sizes stand once more in `fusedTiles` of the backend's weight-products.ts.
#define FUSED_KERNELS(suffix, Element, direction, leftByDepth, rightByDepth) \
	KERNEL __launch_bounds__(128) fusedProduct##direction##suffix(Element* out, int accumulate, float scale, const Half* left, int leftStride, const Byte* codes, const float* scales, const float* codebook, int rows, int columns, int depth) { \
		multiplyCodes<Tiling<64, 32, 32, 16, 64, leftByDepth, rightByDepth>>( \
			out, accumulate, scale, {left, leftStride}, codes, scales, rightByDepth ? columns : depth, codebook, rows, columns, depth); \
	}
FOR_WEIGHT_PRODUCTS(FUSED_KERNELS)
#undef FUSED_KERNELS
#endif
