// Attention on tensor cores that take bfloat16 (flashAttention.cuh): operands lie as activations do, in matrices of any row stride that is a
// multiple of 8; heads of other sizes are copied and padded with zeros first (padHeads). Tiles arrive while those before are worked on.
#pragma once
#include "flashAttentionBackward.cuh"

#ifdef BFLOAT16_TENSOR_CORES
/** target [tokens, heads, size] = q, k, v or dOut. A thread 8 elements. */
KERNEL padHeads(Bfloat16* target, const Bfloat16* source, int tokens, int heads, int headDim, int size, int sourceStride) {
	const Word chunks = size / 8, at = static_cast<Word>(threadInGrid());
	if (at >= tokens * heads * chunks) return;
	const Word row = at / chunks;
	float values[8];
	loadEight(values, source + static_cast<Count>(row / heads) * sourceStride + row % heads * headDim, at % chunks * 8, headDim);
	storeEight(target + 8 * static_cast<Count>(at), values);
}

struct InBfloat16 {
	/** The rows stand once more in the backend's flash-attention.ts. */
	template <int size>
	struct Plan {
		static constexpr int rows = 64, walkedKeys = size > 128 ? 32 : 64;
		/** Fewer, since dk and dv fill the registers. */
		static constexpr int walkedQueries = walkedKeys / 2;
		static constexpr int mostDimensions = 128;
		static constexpr bool queriesInRegisters = true, bothInRegisters = false, bringsAhead = true, bringsAheadOfBoth = size <= 128;
	};

	static __device__ __forceinline__ void multiply(float (&sum)[4], const Word (&a)[4], Word b0, Word b1) { multiplyBfloat16(sum, a, b0, b1); }
	static __device__ __forceinline__ Word pair(float first, float second) { return bfloat16Pair(first, second); }
	/** Bfloat16 has float's range: nothing is multiplied by anything. */
	static __device__ __forceinline__ float scaleOf(const Heads&, int, int) { return 1.0f; }
	struct Units {
		template <int walked>
		__device__ __forceinline__ Factors next(const float (&)[walked / 8][4], int, float shrink) {
			return {shrink, 1.0f};
		}
		__device__ __forceinline__ float scale() const { return 1.0f; }
	};

	/** Rows token(i) of a head, zeros where that is negative; a copy that is not committed. */
	template <int size, int count, class TokenOf>
	static __device__ __forceinline__ void bring(Half* tile, const Heads& heads, int head, const TokenOf& token) {
		HeadTile<size>::template forChunks<count, 2 * Plan<size>::rows>([&](int, int row, int chunk) {
			const int from = token(row);
			copyAsync(sharedAddress(tile + 8 * HeadTile<size>::place(row, chunk)), from < 0 ? heads.data : heads.at(from, head, size) + 8 * chunk, from >= 0);
		});
	}

	/** Tiles of two operands that a block walks over: where it is ahead, the next ones arrive in a second stage of shared memory. */
	template <int size, int walked, bool ahead>
	struct Walk {
		static constexpr int halves = walked * size;
		Half *tiles, *current;
		Heads operands[2];

		__device__ __forceinline__ Walk(Half* tilesOfBlock, const Heads& first, const Heads& second)
			: tiles(tilesOfBlock), current(tilesOfBlock), operands{first, second} {}
		__device__ __forceinline__ SharedAddress first() const { return sharedAddress(current); }
		__device__ __forceinline__ SharedAddress second() const { return sharedAddress(current + halves); }
		__device__ __forceinline__ float firstScale(int) const { return 1.0f; }
		__device__ __forceinline__ float secondScale(int) const { return 1.0f; }

		__device__ __forceinline__ Half* stageOf(int index) const { return ahead ? tiles + index % 2 * 2 * halves : tiles; }
		template <class TokenOf>
		__device__ __forceinline__ void fetch(int index, int head, const TokenOf& tokenOf) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				bring<size, walked>(stageOf(index) + i * halves, operands[i], head, [&](int row) { return tokenOf(index, row); });
			}
		}
		template <class TokenOf>
		__device__ __forceinline__ void start(int index, int head, const TokenOf& tokenOf) {
			if (!ahead) return;
			fetch(index, head, tokenOf);
			commitCopies();
		}
		/** Has the tiles `index` in shared memory; in the meantime a thread does what is beside. */
		template <class TokenOf, class Beside>
		__device__ __forceinline__ void arrive(int index, int end, int head, const TokenOf& tokenOf, Beside beside) {
			if (!ahead) __syncthreads();
			if (!ahead || index + 1 < end) fetch(ahead ? index + 1 : index, head, tokenOf);
			commitCopies();
			beside();
			waitForCopies<ahead ? 1 : 0>();
			current = stageOf(index);
			__syncthreads();
		}
		__device__ __forceinline__ void leave() {
			if (ahead) __syncthreads();
		}
		__device__ __forceinline__ void end() { waitForCopies<0>(); }
	};
};

#define FLASH_KERNELS(size) \
	KERNEL __launch_bounds__(2 * InBfloat16::Plan<size>::rows) flashAttention##size(Bfloat16* out, float* logSumExp, const Half* q, const Half* k, const Half* v, int queryStride, int keyStride, int valueStride, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int causal, int window, float scale) { \
		flashForward<InBfloat16, size>(out, logSumExp, {{q, queryStride}, {k, keyStride}, {v, valueStride}}, {starts, parents, count}, heads, keyHeads, headDim, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(2 * InBfloat16::Plan<size>::rows) flashBackwardQueries##size(Bfloat16* dq, const Half* q, const Half* k, const Half* v, const Half* dOut, int queryStride, int keyStride, int valueStride, int upstreamStride, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int gradientStride, int causal, int window, float scale) { \
		flashBackwardQueries<InBfloat16, size>(dq, {{q, queryStride}, {k, keyStride}, {v, valueStride}, {dOut, upstreamStride}}, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, gradientStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(2 * InBfloat16::Plan<size>::rows) flashBackwardKeys##size(Bfloat16* dk, Bfloat16* dv, const Half* q, const Half* k, const Half* v, const Half* dOut, int queryStride, int keyStride, int valueStride, int upstreamStride, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int gradientStride, int causal, int window, float scale) { \
		flashBackwardKeys<InBfloat16, size>(dk, dv, {{q, queryStride}, {k, keyStride}, {v, valueStride}, {dOut, upstreamStride}}, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, gradientStride, {causal, window}, scale); \
	}
FLASH_KERNELS(32)
FLASH_KERNELS(64)
FLASH_KERNELS(128)
FLASH_KERNELS(256)
#undef FLASH_KERNELS
#endif
