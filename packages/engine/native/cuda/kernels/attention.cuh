// Attention over segments, computed in float32, tile by tile (Dao et al. 2022): no matrix of tokens by tokens is made. A row's result depends
// on the tokens that it sees, in their order, alone.
//
// A block has 64 rows and walks over tiles of 64 of the other side. Both products of a tile, of rows with rows and of weights with rows, come
// from parts of them in shared memory, as in floatProduct.cuh, whatever the size of a head. A thread has 4 × 4 scores: of rows 4 · down + i, and
// of the tile's rows across + 16 · j; and of these rows' results columns 64 · c + 4 · across + j.
#pragma once
#include "element.cuh"
#include "reduce.cuh"
#include "segments.cuh"

/** They stand once more in the backend's attention.ts. */
constexpr int attentionRows = 64, attentionThreads = 256;

struct AttentionTiles {
	/** Dimensions of both sides' rows at once, and columns of the tile's. */
	static constexpr int dimensions = 32, columns = 64;
	/** Rows lie a float4 further apart than they are long, so that neighbours are read without conflicts. */
	static constexpr int dimensionStride = dimensions + 4, columnStride = columns + 4;
	static constexpr int rightAt = attentionRows * dimensionStride;

	alignas(16) float parts[2 * rightAt];
	/** By the tile's rows. */
	alignas(16) float weights[attentionRows * columnStride];

	static __device__ __forceinline__ int down() { return threadIdx.x / 16; }
	static __device__ __forceinline__ int across() { return threadIdx.x % 16; }
	static __device__ __forceinline__ float4 four(const float* from) { return *reinterpret_cast<const float4*>(from); }

	/** scores += the rows of `left` · those of `right`, over their dimensions in ascending order. */
	template <class Left, class Right>
	__device__ __forceinline__ void addScores(float (&scores)[4][4], const Left& left, const Right& right) {
		const int row = threadIdx.x / 4, within = threadIdx.x % 4 * 8, headDim = left.headDim;
		const auto leftRow = left.row(row), rightRow = right.row(row);
		for (int first = 0; first < headDim; first += dimensions) {
			float ofLeft[8], ofRight[8];
			left.read(ofLeft, leftRow, first + within);
			right.read(ofRight, rightRow, first + within);
			__syncthreads();  // what lay there has been read
			storeEight(parts + row * dimensionStride + within, ofLeft);
			storeEight(parts + rightAt + row * dimensionStride + within, ofRight);
			__syncthreads();
#pragma unroll 1
			for (int d = 0; d < dimensions; d += 4) {
				float4 a[4], b[4];
#pragma unroll
				for (int i = 0; i < 4; i++) {
					a[i] = four(parts + (4 * down() + i) * dimensionStride + d);
					b[i] = four(parts + rightAt + (across() + 16 * i) * dimensionStride + d);
				}
#pragma unroll
				for (int i = 0; i < 4; i++) {
#pragma unroll
					for (int j = 0; j < 4; j++) {
						scores[i][j] += a[i].x * b[j].x;
						scores[i][j] += a[i].y * b[j].y;
						scores[i][j] += a[i].z * b[j].z;
						scores[i][j] += a[i].w * b[j].w;
					}
				}
			}
		}
	}

	/** Weights for `addRows`, which the threads of a warp alone share. */
	__device__ __forceinline__ void setWeights(const float (&values)[4][4]) {
		__syncwarp();
#pragma unroll
		for (int j = 0; j < 4; j++) {
			float* const target = weights + (across() + 16 * j) * columnStride + 4 * down();
			*reinterpret_cast<float4*>(target) = make_float4(values[0][j], values[1][j], values[2][j], values[3][j]);
		}
	}

	/** result += weights × the first `count` rows of `tile`, in their order. */
	template <int size, class Tile>
	__device__ __forceinline__ void addRows(float (&result)[size / columns][4][4], const Tile& tile, int count) {
		const int row = threadIdx.x / 4, within = threadIdx.x % 4 * 16;
		const auto own = tile.row(row);
#pragma unroll
		for (int c = 0; c < size / columns; c++) {
			if (columns * c >= tile.headDim) break;
			float low[8], high[8];
			tile.read(low, own, columns * c + within);
			tile.read(high, own, columns * c + within + 8);
			__syncthreads();
			storeEight(parts + row * columnStride + within, low);
			storeEight(parts + row * columnStride + within + 8, high);
			__syncthreads();
#pragma unroll 2
			for (int r = 0; r < count; r++) {
				const float4 w = four(weights + r * columnStride + 4 * down()), v = four(parts + r * columnStride + 4 * across());
				const float ofRows[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
				for (int i = 0; i < 4; i++) {
					result[c][i][0] += ofRows[i] * v.x;
					result[c][i][1] += ofRows[i] * v.y;
					result[c][i][2] += ofRows[i] * v.z;
					result[c][i][3] += ofRows[i] * v.w;
				}
			}
		}
	}
};

/** Rows of a head: those of token(i), and zeros where that is negative. */
template <class Element, class TokenOf>
struct RowsOfHead {
	const Element* head;
	int stride, headDim;
	const TokenOf& token;

	__device__ __forceinline__ const Element* row(int i) const {
		const int from = token(i);
		return from < 0 ? nullptr : head + static_cast<Count>(from) * stride;
	}
	__device__ __forceinline__ void read(float (&values)[8], const Element* row, int dimension) const {
		loadEight(values, row, dimension, row == nullptr ? 0 : headDim);
	}
};
template <class Element, class TokenOf>
static __device__ __forceinline__ RowsOfHead<Element, TokenOf> rowsOfHead(const Element* matrix, int stride, int head, int headDim, const TokenOf& token) {
	return {matrix + head * headDim, stride, headDim, token};
}

/** Writes factor × row i of a thread's results. */
template <int size, class Element>
static __device__ __forceinline__ void storeRow(Element* row, const float (&result)[size / AttentionTiles::columns][4][4], int i, float factor, int headDim) {
	const bool inPairs = storesPairs(row, headDim);
#pragma unroll
	for (int c = 0; c < size / AttentionTiles::columns; c++) {
		const int first = AttentionTiles::columns * c + 4 * AttentionTiles::across();
		const float* const four = result[c][i];
		storeTwo(row, first, headDim, factor * four[0], factor * four[1], 0, inPairs);
		storeTwo(row, first + 2, headDim, factor * four[2], factor * four[3], 0, inPairs);
	}
}

template <int size, class Element>
static __device__ __forceinline__ void attendForward(Element* out, float* logSumExp, const Element* q, const Element* k, const Element* v,
													 const Segments& segments, int heads, int keyHeads, int headDim, int queryStride,
													 int keyStride, const Sight& sight, float scale) {
	__shared__ AttentionTiles tiles;
	const TokenTile tile = tokenTile(segments, blockIdx.x, attentionRows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads), length = stretch.length();
	const int ownRow = 4 * tiles.down(), place = stretch.placeOf(tile.first);
	const int endOfBlock = sight.end(place + attentionRows - 1, length);
	const auto ownToken = [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; };
	float result[size / AttentionTiles::columns][4][4] = {};
	float largest[4], sum[4] = {};
#pragma unroll
	for (int i = 0; i < 4; i++) largest[i] = -INFINITE;
	for (int first = sight.first(place) / attentionRows * attentionRows; first < endOfBlock; first += attentionRows) {
		const auto token = [&](int i) { return first + i < length ? stretch.token(first + i) : -1; };
		float scores[4][4] = {};
		tiles.addScores(scores, rowsOfHead(q, queryStride, head, headDim, ownToken), rowsOfHead(k, keyStride, keyHead, headDim, token));
#pragma unroll
		for (int i = 0; i < 4; i++) {
			const Places seen = sight.seenFrom(place + ownRow + i, length);
			float best = largest[i];
#pragma unroll
			for (int j = 0; j < 4; j++) {
				scores[i][j] = seen.have(first + tiles.across() + 16 * j) ? scale * scores[i][j] : -INFINITE;
				best = larger(best, scores[i][j]);
			}
			best = overWarp<larger, 16>(best);
			const float shrink = best == largest[i] ? 1.0f : expf(largest[i] - best);
			float added = 0.0f;
#pragma unroll
			for (int j = 0; j < 4; j++) {
				scores[i][j] = scores[i][j] == -INFINITE ? 0.0f : expf(scores[i][j] - best);
				added += scores[i][j];
			}
			sum[i] = sum[i] * shrink + overWarp<add, 16>(added);
			largest[i] = best;
#pragma unroll
			for (int at = 0; at < size / 16; at++) result[at / 4][i][at % 4] *= shrink;
		}
		tiles.setWeights(scores);
		tiles.template addRows<size>(result, rowsOfHead(v, keyStride, keyHead, headDim, token), min(attentionRows, length - first));
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		const int own = ownToken(ownRow + i);
		if (own < 0) continue;
		const Count at = static_cast<Count>(own) * heads + head;
		storeRow<size>(out + at * headDim, result, i, 1.0f / sum[i], headDim);
		if (tiles.across() == 0) logSumExp[at] = largest[i] + logf(sum[i]);
	}
}

/** delta [T, heads] = dOut · out; a warp a head. */
template <class Element>
static __device__ __forceinline__ void multiplyOutputs(float* delta, const Element* out, const Element* dOut, Count rows, int headDim) {
	const Count row = threadInGrid() / warpSize32;
	if (row >= rows) return;
	float sum = 0.0f;
	for (int d = threadIdx.x % warpSize32; d < headDim; d += warpSize32) {
		sum += floatOf(out[row * headDim + d]) * floatOf(dOut[row * headDim + d]);
	}
	sum = overWarp<add>(sum);
	if (threadIdx.x % warpSize32 == 0) delta[row] = sum;
}

/** dq: with p = exp(scale × q·k − logSumExp), ds = p × (dOut·v − delta) × scale, dq = Σ ds × k. Rows and tiles as forward. */
template <int size, class Element>
static __device__ __forceinline__ void attendBackwardQueries(Element* dq, const Element* q, const Element* k, const Element* v,
															 const Element* dOut, const float* logSumExp, const float* delta,
															 const Segments& segments, int heads, int keyHeads, int headDim,
															 int queryStride, int keyStride, const Sight& sight, float scale) {
	__shared__ AttentionTiles tiles;
	const TokenTile tile = tokenTile(segments, blockIdx.x, attentionRows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads), length = stretch.length();
	const int ownRow = 4 * tiles.down(), place = stretch.placeOf(tile.first);
	const int endOfBlock = sight.end(place + attentionRows - 1, length);
	const auto ownToken = [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; };
	float logSum[4], offset[4];
#pragma unroll
	for (int i = 0; i < 4; i++) {
		const int own = ownToken(ownRow + i);
		const Count at = static_cast<Count>(own) * heads + head;
		logSum[i] = own < 0 ? 0.0f : logSumExp[at];
		offset[i] = own < 0 ? 0.0f : delta[at];
	}
	float result[size / AttentionTiles::columns][4][4] = {};
	for (int first = sight.first(place) / attentionRows * attentionRows; first < endOfBlock; first += attentionRows) {
		const auto token = [&](int i) { return first + i < length ? stretch.token(first + i) : -1; };
		const auto keys = rowsOfHead(k, keyStride, keyHead, headDim, token);
		float scores[4][4] = {}, slopes[4][4] = {};
		tiles.addScores(scores, rowsOfHead(q, queryStride, head, headDim, ownToken), keys);
		tiles.addScores(slopes, rowsOfHead(dOut, heads * headDim, head, headDim, ownToken), rowsOfHead(v, keyStride, keyHead, headDim, token));
#pragma unroll
		for (int i = 0; i < 4; i++) {
			const Places seen = sight.seenFrom(place + ownRow + i, length);
#pragma unroll
			for (int j = 0; j < 4; j++) {
				const float p = seen.have(first + tiles.across() + 16 * j) ? expf(scale * scores[i][j] - logSum[i]) : 0.0f;
				slopes[i][j] = p * (slopes[i][j] - offset[i]) * scale;
			}
		}
		tiles.setWeights(slopes);
		tiles.template addRows<size>(result, keys, min(attentionRows, length - first));
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		const int own = ownToken(ownRow + i);
		if (own >= 0) storeRow<size>(dq + static_cast<Count>(own) * queryStride + head * headDim, result, i, 1.0f, headDim);
	}
}

/** dv = Σ p × dOut and dk = Σ ds × q over the queries that see a key: those of its segment, then those of its children in order. */
template <int size, class Element>
static __device__ __forceinline__ void attendBackwardKeys(Element* dk, Element* dv, const Element* q, const Element* k, const Element* v,
														  const Element* dOut, const float* logSumExp, const float* delta,
														  const Segments& segments, int heads, int keyHeads, int headDim,
														  int queryStride, int keyStride, const Sight& sight, float scale) {
	__shared__ AttentionTiles tiles;
	const TokenTile tile = tokenTile(segments, blockIdx.x, attentionRows);
	if (tile.segment < 0) return;
	const int segmentEnd = segments.starts[tile.segment + 1];
	const int keyHead = blockIdx.y, ownRow = 4 * tiles.down();
	const auto ownToken = [&](int i) { return tile.first + i < segmentEnd ? tile.first + i : -1; };
	const auto keys = rowsOfHead(k, keyStride, keyHead, headDim, ownToken), values = rowsOfHead(v, keyStride, keyHead, headDim, ownToken);
	float dKey[size / AttentionTiles::columns][4][4] = {}, dValue[size / AttentionTiles::columns][4][4] = {};
	for (int segment = tile.segment; segment < segments.count; segment++) {
		const bool own = segment == tile.segment;
		// children of a segment follow it without others between
		if (!own && (segments.parents == nullptr || segments.parents[segment] != tile.segment)) break;
		const QueryRange range = queriesOf(segments, segment, tile, attentionRows, attentionRows, sight);
		for (int head = firstQueryHead(keyHead, heads, keyHeads); head < firstQueryHead(keyHead + 1, heads, keyHeads); head++) {
			for (int first = range.from; first < range.to; first += attentionRows) {
				const auto token = [&](int i) { return first + i < range.to ? first + i : -1; };
				const auto queries = rowsOfHead(q, queryStride, head, headDim, token);
				const auto upstream = rowsOfHead(dOut, heads * headDim, head, headDim, token);
				float weights[4][4] = {}, slopes[4][4] = {};
				tiles.addScores(weights, keys, queries);
				tiles.addScores(slopes, values, upstream);
#pragma unroll
				for (int j = 0; j < 4; j++) {
					const int query = token(tiles.across() + 16 * j);
					const Count at = static_cast<Count>(query) * heads + head;
					const float logSum = query < 0 ? 0.0f : logSumExp[at], offset = query < 0 ? 0.0f : delta[at];
#pragma unroll
					for (int i = 0; i < 4; i++) {
						const bool sees = query >= 0 && sight.seeing(tile.first + ownRow + i - range.between).have(query);
						weights[i][j] = sees ? expf(scale * weights[i][j] - logSum) : 0.0f;
						slopes[i][j] = weights[i][j] * (slopes[i][j] - offset) * scale;
					}
				}
				const int count = min(attentionRows, range.to - first);
				tiles.setWeights(weights);
				tiles.template addRows<size>(dValue, upstream, count);
				tiles.setWeights(slopes);
				tiles.template addRows<size>(dKey, queries, count);
			}
		}
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		const int own = ownToken(ownRow + i);
		if (own < 0) continue;
		const Count at = static_cast<Count>(own) * keyStride + keyHead * headDim;
		storeRow<size>(dk + at, dKey, i, 1.0f, headDim);
		storeRow<size>(dv + at, dValue, i, 1.0f, headDim);
	}
}

// Heads of up to 64, 128 and 256 dimensions, in two blocks on a multiprocessor where registers hold their results. The names and sizes stand once more in the backend's attention.ts.
#define ATTENTION_KERNELS(suffix, Element, most) \
	KERNEL __launch_bounds__(attentionThreads, most > 128 ? 1 : 2) attention##most##suffix(Element* out, float* logSumExp, const Element* q, const Element* k, const Element* v, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int keyStride, int causal, int window, float scale) { \
		attendForward<most>(out, logSumExp, q, k, v, {starts, parents, count}, heads, keyHeads, headDim, queryStride, keyStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(attentionThreads, most > 64 ? 1 : 2) attentionBackwardQueries##most##suffix(Element* dq, const Element* q, const Element* k, const Element* v, const Element* dOut, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int keyStride, int causal, int window, float scale) { \
		attendBackwardQueries<most>(dq, q, k, v, dOut, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, queryStride, keyStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(attentionThreads, most > 64 ? 1 : 2) attentionBackwardKeys##most##suffix(Element* dk, Element* dv, const Element* q, const Element* k, const Element* v, const Element* dOut, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int keyStride, int causal, int window, float scale) { \
		attendBackwardKeys<most>(dk, dv, q, k, v, dOut, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, queryStride, keyStride, {causal, window}, scale); \
	}
#define ALL_ATTENTION_KERNELS(suffix, Element) \
	KERNEL attentionDelta##suffix(float* delta, const Element* out, const Element* dOut, Count rows, int headDim) { \
		multiplyOutputs(delta, out, dOut, rows, headDim); \
	} \
	ATTENTION_KERNELS(suffix, Element, 64) \
	ATTENTION_KERNELS(suffix, Element, 128) \
	ATTENTION_KERNELS(suffix, Element, 256)
FOR_ELEMENTS(ALL_ATTENTION_KERNELS)
#undef ALL_ATTENTION_KERNELS
#undef ATTENTION_KERNELS
