// Attention over segments on tensor cores: bfloat16 operands, float32 sums and softmax, tiles as in FlashAttention 2 (Dao 2023). What a
// row sees and in which order is as in attention.cuh, so a row's result depends on the tokens that it sees alone.
//
// Four warps; each holds 16 rows of a block's 64 and walks with the others over tiles of the other side in shared memory. Rows of a
// head have `size` dimensions and begin at multiples of 16 bytes, in matrices of any such row stride; heads of other sizes are copied and
// padded with zeros first (padHeads).
#pragma once
#include "element.cuh"
#include "segments.cuh"
#include "tensorProduct.cuh"

/** Rows of a block and of a tile that it walks over. They stand once more in the backend's flash-attention.ts. */
constexpr int flashRows = 64, flashThreads = 128;
/** Queries of a tile that keys walk over: fewer, since dk and dv fill the registers. */
constexpr int flashWalked = 32;

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

constexpr float log2OfE = 1.4426950408889634f;

/** Rows of a head in shared memory. */
template <int size, int rows = flashRows>
struct HeadTile {
	static constexpr int chunks = size / 8, halves = rows * size;

	/** Rows token(i), zeros where that is negative. */
	template <class TokenOf>
	static __device__ __forceinline__ void fetch(Half* tile, const Bfloat16* source, int stride, int head, TokenOf token) {
#pragma unroll
		for (int i = 0; i < rows * chunks / flashThreads; i++) {
			const int at = i * flashThreads + threadIdx.x, row = at / chunks, chunk = at % chunks, from = token(row);
			copyAsync(tile + 8 * place(row, chunk), source + (from < 0 ? 0 : static_cast<Count>(from) * stride + head * size + 8 * chunk), from >= 0);
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

/** Writes factor × a row of a head that a quad of threads holds. */
template <int size>
static __device__ __forceinline__ void storeHead(Bfloat16* row, const float (&result)[size / 8][4], int half, float factor, int headDim) {
	const bool inPairs = storesPairs(row, headDim);
#pragma unroll
	for (int d = 0; d < size / 8; d++) {
		storeTwo(row, 8 * d + threadIdx.x % 4 * 2, headDim, factor * result[d][2 * half], factor * result[d][2 * half + 1], 0, inPairs);
	}
}

/** Where heads are read, and elements from one token's to the next one's: they may be columns of a wider matrix, or copies. */
struct FlashOperands {
	const Bfloat16 *q, *k, *v, *dOut;
	int queryStride, keyStride, valueStride, upstreamStride;
};

template <int size>
static __device__ __forceinline__ void flashForward(Bfloat16* out, float* logSumExp, const FlashOperands& operands, const Segments& segments,
													int heads, int keyHeads, int headDim, const Sight& sight, float scale) {
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
			Rows::fetch(keyTiles + index % 2 * Rows::halves, operands.k, operands.keyStride, keyHead, keyToken);
			Rows::fetch(valueTiles + index % 2 * Rows::halves, operands.v, operands.valueStride, keyHead, keyToken);
		}
		commitCopies();
	};
	Rows::fetch(queryTile, operands.q, operands.queryStride, head, [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; });
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
		storeHead<size>(out + (static_cast<Count>(own) * heads + head) * headDim, result, half, 1.0f / total, headDim);
		if (lane % 4 == 0) logSumExp[static_cast<Count>(own) * heads + head] = largest[half] / log2OfE + logf(total);
	}
}

/** What the backward pass needs of a query's row besides its vectors; a row that sees nothing of a tile has p = 0. */
struct RowState {
	float logSum, delta;
};

/** dq of 64 queries, as `attendBackwardQueries`. */
template <int size>
static __device__ __forceinline__ void flashBackwardQueries(Bfloat16* dq, const FlashOperands& operands, const float* logSumExp,
															const float* delta, const Segments& segments, int heads, int keyHeads,
															int headDim, int gradientStride, const Sight& sight, float scale) {
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
			Rows::fetch(keyTiles + index % 2 * Rows::halves, operands.k, operands.keyStride, keyHead, keyToken);
			Rows::fetch(valueTiles + index % 2 * Rows::halves, operands.v, operands.valueStride, keyHead, keyToken);
		}
		commitCopies();
	};
	const auto ownToken = [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; };
	Rows::fetch(queryTile, operands.q, operands.queryStride, head, ownToken);
	Rows::fetch(upstreamTile, operands.dOut, operands.upstreamStride, head, ownToken);
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
		storeHead<size>(dq + static_cast<Count>(own) * gradientStride + head * headDim, result, half, scale, headDim);
	}
}

/** dk and dv of 64 keys, as `attendBackwardKeys`: a warp's rows are keys, and the tiles it walks over are queries. */
template <int size>
static __device__ __forceinline__ void flashBackwardKeys(Bfloat16* dk, Bfloat16* dv, const FlashOperands& operands, const float* logSumExp,
														 const float* delta, const Segments& segments, int heads, int keyHeads, int headDim,
														 int gradientStride, const Sight& sight, float scale) {
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
	Rows::fetch(keyTile, operands.k, operands.keyStride, keyHead, ownToken);
	Rows::fetch(valueTile, operands.v, operands.valueStride, keyHead, ownToken);
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
				Walked::fetch(queryTile, operands.q, operands.queryStride, head, queryToken);
				Walked::fetch(upstreamTile, operands.dOut, operands.upstreamStride, head, queryToken);
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
		const Count at = static_cast<Count>(own) * gradientStride + keyHead * headDim;
		storeHead<size>(dk + at, dKey, half, scale, headDim);
		storeHead<size>(dv + at, dValue, half, 1.0f, headDim);
	}
}

#define FLASH_KERNELS(size) \
	KERNEL __launch_bounds__(flashThreads) flashAttention##size(Bfloat16* out, float* logSumExp, const Bfloat16* q, const Bfloat16* k, const Bfloat16* v, int queryStride, int keyStride, int valueStride, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int causal, int window, float scale) { \
		flashForward<size>(out, logSumExp, {q, k, v, nullptr, queryStride, keyStride, valueStride, 0}, {starts, parents, count}, heads, keyHeads, headDim, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(flashThreads) flashBackwardQueries##size(Bfloat16* dq, const Bfloat16* q, const Bfloat16* k, const Bfloat16* v, const Bfloat16* dOut, int queryStride, int keyStride, int valueStride, int upstreamStride, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int gradientStride, int causal, int window, float scale) { \
		flashBackwardQueries<size>(dq, {q, k, v, dOut, queryStride, keyStride, valueStride, upstreamStride}, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, gradientStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(flashThreads) flashBackwardKeys##size(Bfloat16* dk, Bfloat16* dv, const Bfloat16* q, const Bfloat16* k, const Bfloat16* v, const Bfloat16* dOut, int queryStride, int keyStride, int valueStride, int upstreamStride, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int gradientStride, int causal, int window, float scale) { \
		flashBackwardKeys<size>(dk, dv, {q, k, v, dOut, queryStride, keyStride, valueStride, upstreamStride}, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, gradientStride, {causal, window}, scale); \
	}
FLASH_KERNELS(32)
FLASH_KERNELS(64)
FLASH_KERNELS(128)
#undef FLASH_KERNELS
#endif
