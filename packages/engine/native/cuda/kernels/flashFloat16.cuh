// Attention on Turing's tensor cores, which take float16 (flashAttention.cuh). Float16 has three digits more than bfloat16 and a narrow range, so
// everything that is multiplied has a power of two taken out of it that is put back into float32 sums, which rounds nothing (lineScale.cuh):
//
// - a head of a token of q, k, v or dOut its own: its 8 digits lie in float16 as they are, but for numbers below 2^-29 of its largest;
// - the weights of a row of the result one that follows the largest of them so far. What is weighted is the other operand's rows, so a weight
//   has their power in it. Weights are rounded to 11 digits: an eighth of what bfloat16 loses; below 2^-39 of the row's largest they are 0.
//
// Unseen tokens have weights of 0, so no power depends on them. Turing copies nothing to shared memory beside computation: the next tiles wait
// in registers.
#pragma once
#include "flashAttentionBackward.cuh"
#include "lineScale.cuh"

#ifdef FLOAT16_TENSOR_CORES
/** target [tokens, heads, size] float16 and scales [tokens, heads] = heads, each divided by its power of two. A thread 8 elements. */
KERNEL headsToFloat16(Half* target, float* scales, const Bfloat16* source, int tokens, int heads, int headDim, int size, int sourceStride) {
	const Word chunks = size / 8, at = static_cast<Word>(threadInGrid()), row = at / chunks, chunk = at % chunks;
	const bool there = at < tokens * heads * chunks;
	float values[8] = {};
	if (there) loadEight(values, source + static_cast<Count>(row / heads) * sourceStride + row % heads * headDim, chunk * 8, headDim);
	float largest = 0.0f;
#pragma unroll
	for (int i = 0; i < 8; i++) largest = largerOrNan(largest, fabsf(values[i]));
	// a row's threads are neighbours in a warp
	for (int distance = chunks / 2; distance > 0; distance /= 2) {
		largest = largerOrNan(largest, __shfl_xor_sync(wholeWarp, largest, distance));
	}
	if (!there) return;
	if (chunk == 0) scales[row] = lineScale(largest);
	const float inverse = lineInverse(largest);
	Word packed[4];
#pragma unroll
	for (int i = 0; i < 4; i++) packed[i] = float16Pair(values[2 * i] * inverse, values[2 * i + 1] * inverse);
	*reinterpret_cast<uint4*>(target + 8 * static_cast<Count>(at)) = make_uint4(packed[0], packed[1], packed[2], packed[3]);
}

struct InFloat16 {
	/** The rows stand once more in the backend's flash-attention.ts. */
	template <int size>
	struct Plan {
		static constexpr bool isWide = size > 128;
		static constexpr int rows = isWide ? 32 : 64, walkedKeys = isWide ? 16 : 32, walkedQueries = walkedKeys, mostDimensions = 64;
		static constexpr bool queriesInRegisters = !isWide, bothInRegisters = !isWide, bringsAhead = !isWide, bringsAheadOfBoth = size < 128;
	};

	static __device__ __forceinline__ void multiply(float (&sum)[4], const Word (&a)[4], Word b0, Word b1) { multiplyFloat16(sum, a, b0, b1); }
	static __device__ __forceinline__ Word pair(float first, float second) { return float16Pair(first, second); }
	static __device__ __forceinline__ float scaleOf(const Heads& heads, int token, int head) { return heads.scale(token, head); }
	/** The power of two of a row's weights: that of the largest of them that is part of the sums. */
	struct Units {
		float largest = 0.0f;

		template <int walked>
		__device__ __forceinline__ Factors next(const float (&weights)[walked / 8][4], int half, float shrink) {
			const float before = lineScale(largest);
			largest *= shrink;
#pragma unroll
			for (int j = 0; j < walked / 8; j++) {
#pragma unroll
				for (int i = 0; i < 2; i++) largest = larger(largest, fabsf(weights[j][2 * half + i]));
			}
			largest = overQuad<larger>(largest);
			return {shrink * before * lineInverse(largest), lineInverse(largest)};
		}
		__device__ __forceinline__ float scale() const { return lineScale(largest); }
	};

	/** Rows token(i) of a head, zeros where that is negative. */
	template <int size, int count, class TokenOf>
	static __device__ __forceinline__ void bring(Half* tile, const Heads& heads, int head, const TokenOf& token) {
		HeadTile<size>::template forChunks<count, 2 * Plan<size>::rows>([&](int, int row, int chunk) {
			*reinterpret_cast<uint4*>(tile + 8 * HeadTile<size>::place(row, chunk)) = chunkOf<size>(heads, token(row), head, chunk);
		});
	}
	template <int size>
	static __device__ __forceinline__ uint4 chunkOf(const Heads& heads, int token, int head, int chunk) {
		return token < 0 ? make_uint4(0, 0, 0, 0) : *reinterpret_cast<const uint4*>(heads.at(token, head, size) + 8 * chunk);
	}

	/** Tiles of two operands that a block walks over, and their powers of two: where it is ahead, the next ones are in registers. */
	template <int size, int walked, bool ahead>
	struct Walk {
		static constexpr int halves = walked * size, each = halves / 8 / (2 * Plan<size>::rows);
		Half* tiles;
		float* scales;
		Heads operands[2];
		uint4 chunks[2][each];
		/** Of the row whose number is the thread's. */
		float rowScales[2];

		__device__ __forceinline__ Walk(Half* tilesOfBlock, const Heads& first, const Heads& second)
			: tiles(tilesOfBlock), scales(reinterpret_cast<float*>(tilesOfBlock + 2 * halves)), operands{first, second} {}
		__device__ __forceinline__ SharedAddress first() const { return sharedAddress(tiles); }
		__device__ __forceinline__ SharedAddress second() const { return sharedAddress(tiles + halves); }
		__device__ __forceinline__ float firstScale(int row) const { return scales[row]; }
		__device__ __forceinline__ float secondScale(int row) const { return scales[walked + row]; }

		template <class TokenOf>
		__device__ __forceinline__ void read(int side, int index, int head, const TokenOf& tokenOf) {
			HeadTile<size>::template forChunks<walked, 2 * Plan<size>::rows>([&](int i, int row, int chunk) {
				chunks[side][i] = chunkOf<size>(operands[side], tokenOf(index, row), head, chunk);
			});
			if (threadIdx.x >= walked) return;
			const int token = tokenOf(index, threadIdx.x);
			rowScales[side] = token < 0 ? 0.0f : operands[side].scale(token, head);
		}
		__device__ __forceinline__ void write(int side) {
			HeadTile<size>::template forChunks<walked, 2 * Plan<size>::rows>([&](int i, int row, int chunk) {
				*reinterpret_cast<uint4*>(tiles + side * halves + 8 * HeadTile<size>::place(row, chunk)) = chunks[side][i];
			});
			if (threadIdx.x < walked) scales[side * walked + threadIdx.x] = rowScales[side];
		}
		template <class TokenOf>
		__device__ __forceinline__ void readBoth(int index, int head, const TokenOf& tokenOf) {
			read(0, index, head, tokenOf);
			read(1, index, head, tokenOf);
		}
		template <class TokenOf>
		__device__ __forceinline__ void start(int index, int head, const TokenOf& tokenOf) {
			if (ahead) readBoth(index, head, tokenOf);
		}
		/** Has the tiles `index` in shared memory, and what a thread brings beside them. */
		template <class TokenOf, class Beside>
		__device__ __forceinline__ void arrive(int index, int end, int head, const TokenOf& tokenOf, Beside beside) {
			// registers hold rows of large heads one after the other
			constexpr bool together = size <= 128;
			if (!ahead && together) readBoth(index, head, tokenOf);
			__syncthreads();
#pragma unroll
			for (int side = 0; side < 2; side++) {
				if (!together) read(side, index, head, tokenOf);
				write(side);
			}
			beside();
			__syncthreads();
			if (ahead && index + 1 < end) readBoth(index + 1, head, tokenOf);
		}
		__device__ __forceinline__ void leave() {}
		__device__ __forceinline__ void end() {}
	};
};

#define FLASH_KERNELS(size) \
	KERNEL __launch_bounds__(2 * InFloat16::Plan<size>::rows) float16Attention##size(Bfloat16* out, float* logSumExp, const Half* q, const float* queryScales, const Half* k, const float* keyScales, const Half* v, const float* valueScales, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int causal, int window, float scale) { \
		const int wide = heads * size, narrow = keyHeads * size; \
		flashForward<InFloat16, size>(out, logSumExp, {{q, wide, heads, queryScales}, {k, narrow, keyHeads, keyScales}, {v, narrow, keyHeads, valueScales}}, {starts, parents, count}, heads, keyHeads, headDim, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(2 * InFloat16::Plan<size>::rows) float16BackwardQueries##size(Bfloat16* dq, const Half* q, const float* queryScales, const Half* k, const float* keyScales, const Half* v, const float* valueScales, const Half* dOut, const float* upstreamScales, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int gradientStride, int causal, int window, float scale) { \
		const int wide = heads * size, narrow = keyHeads * size; \
		flashBackwardQueries<InFloat16, size>(dq, {{q, wide, heads, queryScales}, {k, narrow, keyHeads, keyScales}, {v, narrow, keyHeads, valueScales}, {dOut, wide, heads, upstreamScales}}, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, gradientStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(2 * InFloat16::Plan<size>::rows) float16BackwardKeys##size(Bfloat16* dk, Bfloat16* dv, const Half* q, const float* queryScales, const Half* k, const float* keyScales, const Half* v, const float* valueScales, const Half* dOut, const float* upstreamScales, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int gradientStride, int causal, int window, float scale) { \
		const int wide = heads * size, narrow = keyHeads * size; \
		flashBackwardKeys<InFloat16, size>(dk, dv, {{q, wide, heads, queryScales}, {k, narrow, keyHeads, keyScales}, {v, narrow, keyHeads, valueScales}, {dOut, wide, heads, upstreamScales}}, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, gradientStride, {causal, window}, scale); \
	}
FLASH_KERNELS(32)
FLASH_KERNELS(64)
FLASH_KERNELS(128)
FLASH_KERNELS(256)
#undef FLASH_KERNELS
#endif
