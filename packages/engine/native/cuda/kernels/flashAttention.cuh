// Attention over segments on tensor cores: bfloat16 operands, float32 sums and softmax, tiles as in FlashAttention 2 (Dao 2023). What a
// row sees and in which order is as in attention.cuh, so a row's result depends on the tokens that it sees alone.
//
// Four warps; each holds 16 rows of a block's 64 and walks with the others over tiles of the other side in shared memory. Rows of a
// head are padded with zeros to `size` dimensions, a multiple of 16, in bfloat16 and begin at multiples of 16 bytes (headsToBfloat16).
#pragma once
#include "segments.cuh"
#include "tensorProduct.cuh"

/** Rows of a block and of a tile that it walks over. They stand once more in the backend's flash-attention.ts. */
constexpr int flashRows = 64, flashThreads = 128;
/** Queries of a tile that keys walk over: fewer, since dk and dv fill the registers. */
constexpr int flashWalked = 32;

/** q, k, v or dOut as bfloat16 [tokens, heads, size]. A thread 8 elements. */
KERNEL headsToBfloat16(Half* target, const float* source, int tokens, int heads, int headDim, int size, int sourceStride) {
	const Word chunks = size / 8, at = static_cast<Word>(threadInGrid());
	if (at >= tokens * heads * chunks) return;
	const int first = static_cast<int>(at % chunks) * 8;
	const Word row = at / chunks;
	const float* const from = source + static_cast<Count>(row / heads) * sourceStride + row % heads * headDim;
	float values[8];
#pragma unroll
	for (int i = 0; i < 8; i++) values[i] = first + i < headDim ? from[first + i] : 0.0f;
	*reinterpret_cast<uint4*>(target + 8 * static_cast<Count>(at)) = make_uint4(bfloat16Pair(values[0], values[1]), bfloat16Pair(values[2], values[3]),
															bfloat16Pair(values[4], values[5]), bfloat16Pair(values[6], values[7]));
}

#if __CUDA_ARCH__ >= 800
constexpr float log2OfE = 1.4426950408889634f;

/** Rows of a head in shared memory. */
template <int size, int rows = flashRows>
struct HeadTile {
	static constexpr int chunks = size / 8, halves = rows * size;

	/** Rows token(i), zeros where that is negative. */
	template <class TokenOf>
	static __device__ __forceinline__ void fetch(Half* tile, const Half* source, int heads, int head, TokenOf token) {
#pragma unroll
		for (int i = 0; i < rows * chunks / flashThreads; i++) {
			const int at = i * flashThreads + threadIdx.x, row = at / chunks, chunk = at % chunks, from = token(row);
			copyAsync(tile + 8 * place(row, chunk), source + (from < 0 ? 0 : (static_cast<Count>(from) * heads + head) * size + 8 * chunk), from >= 0);
		}
	}
	/** Chunks are turned within groups of eight, or of as many as a row has a power of two of. */
	static __device__ __forceinline__ int place(int row, int chunk) {
		constexpr int turn = chunks % 8 == 0 ? 7 : chunks % 4 == 0 ? 3 : 1;
		return row * chunks + (chunk ^ ((chunks % 8 == 0 ? row : row / (chunks % 4 == 0 ? 2 : 4)) & turn));
	}
	/** Fragment of a left operand [16 rows, 16 dimensions]. */
	static __device__ __forceinline__ void loadLeft(Word (&fragment)[4], const Half* tile, int row, int dimension) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8;
		loadMatrices(fragment, tile + 8 * place(row + lane % 8 + 8 * (matrix % 2), dimension / 8 + matrix / 2), false);
	}
	/** Two right operands of 8 rows each, summed over 16 dimensions: for products with the tile's transpose. */
	static __device__ __forceinline__ void loadRight(Word (&fragment)[4], const Half* tile, int row, int dimension) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8;
		loadMatrices(fragment, tile + 8 * place(row + lane % 8 + 8 * (matrix / 2), dimension / 8 + matrix % 2), false);
	}
	/** Two right operands of 8 dimensions each, summed over 16 rows: for products with the tile itself. */
	static __device__ __forceinline__ void loadRightByRow(Word (&fragment)[4], const Half* tile, int row, int dimension) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8;
		loadMatrices(fragment, tile + 8 * place(row + lane % 8 + 8 * (matrix % 2), dimension / 8 + matrix / 2), true);
	}
};

/** A warp's 16 rows of a tile as left operands, for tiles that stay while others are walked over. */
template <int size>
struct LeftRows {
	Word fragments[size / 16][4];
	__device__ __forceinline__ void load(const Half* tile, int row) {
#pragma unroll
		for (int d = 0; d < size / 16; d++) HeadTile<size>::loadLeft(fragments[d], tile, row, 16 * d);
	}
};

/** scores [16, walked] of a warp = its rows · the transpose of `right`. */
template <int size, int walked>
static __device__ __forceinline__ void multiplyRows(float (&scores)[walked / 8][4], const LeftRows<size>& left, const Half* right) {
#pragma unroll
	for (int j = 0; j < walked / 8; j++) {
#pragma unroll
		for (int i = 0; i < 4; i++) scores[j][i] = 0.0f;
	}
#pragma unroll
	for (int d = 0; d < size / 16; d++) {
#pragma unroll
		for (int j = 0; j < walked / 16; j++) {
			Word b[4];
			HeadTile<size>::loadRight(b, right, 16 * j, 16 * d);
			multiplyBfloat16(scores[2 * j], left.fragments[d], b[0], b[1]);
			multiplyBfloat16(scores[2 * j + 1], left.fragments[d], b[2], b[3]);
		}
	}
}

/** The same with its rows of `left` from `row` on. */
template <int size, int walked>
static __device__ __forceinline__ void multiplyHeads(float (&scores)[walked / 8][4], const Half* left, int row, const Half* right) {
	LeftRows<size> rows;
	rows.load(left, row);
	multiplyRows<size, walked>(scores, rows, right);
}

/** result [16, size] += weights [16, walked] · tile [walked, size]: the weights as they lie in the registers of `multiplyHeads`. */
template <int size, int walked>
static __device__ __forceinline__ void addWeighted(float (&result)[size / 8][4], const float (&weights)[walked / 8][4], const Half* tile) {
#pragma unroll
	for (int k = 0; k < walked / 16; k++) {
		const Word a[4] = {bfloat16Pair(weights[2 * k][0], weights[2 * k][1]), bfloat16Pair(weights[2 * k][2], weights[2 * k][3]),
						   bfloat16Pair(weights[2 * k + 1][0], weights[2 * k + 1][1]),
						   bfloat16Pair(weights[2 * k + 1][2], weights[2 * k + 1][3])};
#pragma unroll
		for (int d = 0; d < size / 16; d++) {
			Word b[4];
			HeadTile<size>::loadRightByRow(b, tile, 16 * k, 16 * d);
			multiplyBfloat16(result[2 * d], a, b[0], b[1]);
			multiplyBfloat16(result[2 * d + 1], a, b[2], b[3]);
		}
	}
}

/** Over the four threads that hold a row of a fragment. */
template <float (*combine)(float, float)>
static __device__ __forceinline__ float overQuad(float value) {
	return overWarp<combine, 4>(value);
}

template <int size>
static __device__ __forceinline__ void flashForward(float* out, float* logSumExp, const Half* q, const Half* k, const Half* v,
													const Segments& segments, int heads, int keyHeads, int headDim, const Sight& sight,
													float scale) {
	using Rows = HeadTile<size>;
	DYNAMIC_SHARED(shared);
	Half* const queryTile = reinterpret_cast<Half*>(shared);
	Half* const keyTiles = queryTile + Rows::halves;     // two stages
	Half* const valueTiles = keyTiles + 2 * Rows::halves;  // two stages
	const TokenTile tile = tokenTile(segments, gridDim.x - 1 - blockIdx.x, flashRows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads);
	const int warpRow = threadIdx.x / warpSize32 * 16, lane = threadIdx.x % warpSize32;
	const int token = tile.first + warpRow + lane / 4;  // and the eighth after it
	const int place = stretch.placeOf(tile.first), length = stretch.length(), firstTile = sight.first(place) / flashRows;
	const int tiles = (sight.end(place + flashRows - 1, length) + flashRows - 1) / flashRows;
	const auto fetch = [&](int index) {
		if (index < tiles) {
			const auto keyToken = [&](int i) { return index * flashRows + i < stretch.length() ? stretch.token(index * flashRows + i) : -1; };
			Rows::fetch(keyTiles + index % 2 * Rows::halves, k, keyHeads, keyHead, keyToken);
			Rows::fetch(valueTiles + index % 2 * Rows::halves, v, keyHeads, keyHead, keyToken);
		}
		commitCopies();
	};
	Rows::fetch(queryTile, q, heads, head, [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; });
	fetch(firstTile);
	LeftRows<size> queries;
	float result[size / 8][4] = {};
	float largest[2] = {-INFINITE, -INFINITE}, sum[2] = {};
	const float factor = scale * log2OfE;
	for (int index = firstTile; index < tiles; index++) {
		fetch(index + 1);
		waitForCopies<1>();
		__syncthreads();
		if (index == firstTile) queries.load(queryTile, warpRow);
		float scores[8][4];
		multiplyRows<size, flashRows>(scores, queries, keyTiles + index % 2 * Rows::halves);
		const int firstKey = index * flashRows;
		// the first row of the warp sees least to the right, the last one to the left
		const bool isWhole = firstKey >= sight.first(place + warpRow + 15) && firstKey + flashRows <= sight.end(place + warpRow, length);
#pragma unroll
		for (int half = 0; half < 2; half++) {
			const Places seen = sight.seenFrom(place + warpRow + lane / 4 + 8 * half, length);
			float best = largest[half];
#pragma unroll
			for (int j = 0; j < 8; j++) {
#pragma unroll
				for (int i = 0; i < 2; i++) {
					float& score = scores[j][2 * half + i];
					score = isWhole || seen.have(firstKey + 8 * j + lane % 4 * 2 + i) ? score * factor : -INFINITE;
					best = larger(best, score);
				}
			}
			best = overQuad<larger>(best);
			const float shrink = best == largest[half] ? 1.0f : exp2f(largest[half] - best);
			largest[half] = best;
			// where no key of the tile is seen, nor of those before: weights of 0
			const float base = best == -INFINITE ? 0.0f : best;
			float added = 0.0f;
#pragma unroll
			for (int j = 0; j < 8; j++) {
#pragma unroll
				for (int i = 0; i < 2; i++) {
					float& score = scores[j][2 * half + i];
					score = exp2f(score - base);
					added += score;
				}
			}
			sum[half] = sum[half] * shrink + added;
#pragma unroll
			for (int d = 0; d < size / 8; d++) {
				result[d][2 * half] *= shrink;
				result[d][2 * half + 1] *= shrink;
			}
		}
		addWeighted<size, flashRows>(result, scores, valueTiles + index % 2 * Rows::halves);
		__syncthreads();
	}
	waitForCopies<0>();
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		const float total = overQuad<add>(sum[half]);
		if (own >= stretch.to) continue;
		float* const target = out + (static_cast<Count>(own) * heads + head) * headDim;
		const float reciprocal = 1.0f / total;
#pragma unroll
		for (int d = 0; d < size / 8; d++) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				const int dimension = 8 * d + lane % 4 * 2 + i;
				if (dimension < headDim) target[dimension] = result[d][2 * half + i] * reciprocal;
			}
		}
		if (lane % 4 == 0) logSumExp[static_cast<Count>(own) * heads + head] = largest[half] / log2OfE + logf(total);
	}
}

/** What the backward pass needs of a query's row besides its vectors; a row that sees nothing of a tile has p = 0. */
struct RowState {
	float logSum, delta;
};

/** dq of 64 queries, as `attendBackwardQueries`. */
template <int size>
static __device__ __forceinline__ void flashBackwardQueries(float* dq, const Half* q, const Half* k, const Half* v, const Half* dOut,
															const float* logSumExp, const float* delta, const Segments& segments,
															int heads, int keyHeads, int headDim, int queryStride, const Sight& sight,
															float scale) {
	using Rows = HeadTile<size>;
	DYNAMIC_SHARED(shared);
	Half* const queryTile = reinterpret_cast<Half*>(shared);
	Half* const upstreamTile = queryTile + Rows::halves;
	Half* const keyTiles = upstreamTile + Rows::halves;    // two stages
	Half* const valueTiles = keyTiles + 2 * Rows::halves;  // two stages
	const TokenTile tile = tokenTile(segments, gridDim.x - 1 - blockIdx.x, flashRows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads);
	const int warpRow = threadIdx.x / warpSize32 * 16, lane = threadIdx.x % warpSize32;
	const int token = tile.first + warpRow + lane / 4;
	const int place = stretch.placeOf(tile.first), length = stretch.length(), firstTile = sight.first(place) / flashRows;
	const int tiles = (sight.end(place + flashRows - 1, length) + flashRows - 1) / flashRows;
	const auto fetch = [&](int index) {
		if (index < tiles) {
			const auto keyToken = [&](int i) { return index * flashRows + i < stretch.length() ? stretch.token(index * flashRows + i) : -1; };
			Rows::fetch(keyTiles + index % 2 * Rows::halves, k, keyHeads, keyHead, keyToken);
			Rows::fetch(valueTiles + index % 2 * Rows::halves, v, keyHeads, keyHead, keyToken);
		}
		commitCopies();
	};
	const auto ownToken = [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; };
	Rows::fetch(queryTile, q, heads, head, ownToken);
	Rows::fetch(upstreamTile, dOut, heads, head, ownToken);
	fetch(firstTile);
	RowState state[2];
	const int row = place + warpRow + lane / 4;
	const Places seen[2] = {sight.seenFrom(row, length), sight.seenFrom(row + 8, length)};
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		const Count at = static_cast<Count>(own) * heads + head;
		state[half] = own < stretch.to ? RowState{logSumExp[at] * log2OfE, delta[at]} : RowState{0.0f, 0.0f};
	}
	float result[size / 8][4] = {};
	const float factor = scale * log2OfE;
	for (int index = firstTile; index < tiles; index++) {
		fetch(index + 1);
		waitForCopies<1>();
		__syncthreads();
		const Half* const keyTile = keyTiles + index % 2 * Rows::halves;
		float scores[8][4], slopes[8][4];
		multiplyHeads<size, flashRows>(scores, queryTile, warpRow, keyTile);
		multiplyHeads<size, flashRows>(slopes, upstreamTile, warpRow, valueTiles + index % 2 * Rows::halves);
#pragma unroll
		for (int j = 0; j < 8; j++) {
#pragma unroll
			for (int i = 0; i < 4; i++) {
				const int key = index * flashRows + 8 * j + lane % 4 * 2 + i % 2;
				const float p = seen[i / 2].have(key) ? exp2f(scores[j][i] * factor - state[i / 2].logSum) : 0.0f;
				slopes[j][i] = p * (slopes[j][i] - state[i / 2].delta);
			}
		}
		addWeighted<size, flashRows>(result, slopes, keyTile);
		__syncthreads();
	}
	waitForCopies<0>();
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		if (own >= stretch.to) continue;
		float* const target = dq + static_cast<Count>(own) * queryStride + head * headDim;
#pragma unroll
		for (int d = 0; d < size / 8; d++) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				const int dimension = 8 * d + lane % 4 * 2 + i;
				if (dimension < headDim) target[dimension] = scale * result[d][2 * half + i];
			}
		}
	}
}

/** dk and dv of 64 keys, as `attendBackwardKeys`: a warp's rows are keys, and the tiles it walks over are queries. */
template <int size>
static __device__ __forceinline__ void flashBackwardKeys(float* dk, float* dv, const Half* q, const Half* k, const Half* v,
														 const Half* dOut, const float* logSumExp, const float* delta,
														 const Segments& segments, int heads, int keyHeads, int headDim,
														 int keyStride, const Sight& sight, float scale) {
	using Rows = HeadTile<size>;
	using Walked = HeadTile<size, flashWalked>;
	DYNAMIC_SHARED(shared);
	Half* const keyTile = reinterpret_cast<Half*>(shared);
	Half* const valueTile = keyTile + Rows::halves;
	Half* const queryTile = valueTile + Rows::halves;
	Half* const upstreamTile = queryTile + Walked::halves;
	__shared__ RowState states[flashWalked];
	const TokenTile tile = tokenTile(segments, blockIdx.x, flashRows);
	if (tile.segment < 0) return;
	const int segmentEnd = segments.starts[tile.segment + 1];
	const int keyHead = blockIdx.y, warpRow = threadIdx.x / warpSize32 * 16, lane = threadIdx.x % warpSize32;
	const int token = tile.first + warpRow + lane / 4;
	const auto ownToken = [&](int i) { return tile.first + i < segmentEnd ? tile.first + i : -1; };
	Rows::fetch(keyTile, k, keyHeads, keyHead, ownToken);
	Rows::fetch(valueTile, v, keyHeads, keyHead, ownToken);
	float dKey[size / 8][4] = {}, dValue[size / 8][4] = {};
	const float factor = scale * log2OfE;
	for (int segment = tile.segment; segment < segments.count; segment++) {
		const bool own = segment == tile.segment;
		// children of a segment follow it without others between
		if (!own && (segments.parents == nullptr || segments.parents[segment] != tile.segment)) break;
		const QueryRange range = queriesOf(segments, segment, tile, flashRows, flashWalked, sight);
		// rows of zeros beyond the ends add nothing
		const Places seeing[2] = {sight.seeing(token - range.between), sight.seeing(token + 8 - range.between)};
		for (int head = firstQueryHead(keyHead, heads, keyHeads); head < firstQueryHead(keyHead + 1, heads, keyHeads); head++) {
			for (int first = range.from; first < range.to; first += flashWalked) {
				const auto queryToken = [&](int i) { return first + i < range.to ? first + i : -1; };
				__syncthreads();
				Walked::fetch(queryTile, q, heads, head, queryToken);
				Walked::fetch(upstreamTile, dOut, heads, head, queryToken);
				commitCopies();
				if (threadIdx.x < flashWalked) {
					const int query = first + threadIdx.x;
					const Count at = static_cast<Count>(query) * heads + head;
					states[threadIdx.x] = query < range.to ? RowState{logSumExp[at] * log2OfE, delta[at]} : RowState{0.0f, 0.0f};
				}
				waitForCopies<0>();
				__syncthreads();
				float weights[flashWalked / 8][4], slopes[flashWalked / 8][4];
				multiplyHeads<size, flashWalked>(weights, keyTile, warpRow, queryTile);
				multiplyHeads<size, flashWalked>(slopes, valueTile, warpRow, upstreamTile);
#pragma unroll
				for (int j = 0; j < flashWalked / 8; j++) {
#pragma unroll
					for (int i = 0; i < 4; i++) {
						const int column = 8 * j + lane % 4 * 2 + i % 2;
						weights[j][i] = seeing[i / 2].have(first + column) ? exp2f(weights[j][i] * factor - states[column].logSum) : 0.0f;
						slopes[j][i] = weights[j][i] * (slopes[j][i] - states[column].delta);
					}
				}
				addWeighted<size, flashWalked>(dValue, weights, upstreamTile);
				addWeighted<size, flashWalked>(dKey, slopes, queryTile);
			}
		}
	}
	waitForCopies<0>();
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		if (own >= segmentEnd) continue;
		const Count at = static_cast<Count>(own) * keyStride + keyHead * headDim;
#pragma unroll
		for (int d = 0; d < size / 8; d++) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				const int dimension = 8 * d + lane % 4 * 2 + i;
				if (dimension >= headDim) continue;
				dk[at + dimension] = scale * dKey[d][2 * half + i];
				dv[at + dimension] = dValue[d][2 * half + i];
			}
		}
	}
}
#define FLASH_BODY(call) call
#else
#define FLASH_BODY(call)
#endif

#define FLASH_KERNELS(size)                                                                                                        \
	KERNEL __launch_bounds__(flashThreads) flashAttention##size(float* out, float* logSumExp, const Half* q, const Half* k, const Half* v, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int causal, int window, float scale) { \
		FLASH_BODY((flashForward<size>(out, logSumExp, q, k, v, {starts, parents, count}, heads, keyHeads, headDim, {causal, window}, scale))); \
	}                                                                                                                              \
	KERNEL __launch_bounds__(flashThreads) flashBackwardQueries##size(float* dq, const Half* q, const Half* k, const Half* v, const Half* dOut, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int causal, int window, float scale) { \
		FLASH_BODY((flashBackwardQueries<size>(dq, q, k, v, dOut, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, queryStride, {causal, window}, scale))); \
	}                                                                                                                              \
	KERNEL __launch_bounds__(flashThreads) flashBackwardKeys##size(float* dk, float* dv, const Half* q, const Half* k, const Half* v, const Half* dOut, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int keyStride, int causal, int window, float scale) { \
		FLASH_BODY((flashBackwardKeys<size>(dk, dv, q, k, v, dOut, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, keyStride, {causal, window}, scale))); \
	}
FLASH_KERNELS(32)
FLASH_KERNELS(64)
FLASH_KERNELS(128)
#undef FLASH_KERNELS
