// Attention over segments, computed in float32, tile by tile (Dao et al. 2022): no matrix of tokens by tokens is made. A row's result depends
// on the tokens that it sees, in their order, alone.
#pragma once
#include "element.cuh"
#include "reduce.cuh"
#include "segments.cuh"

/** Query rows of a block; eight threads work on each. */
constexpr int attentionRows = 16;
constexpr int threadsPerRow = 8;

/** Copies rows of one head to shared memory, in rows of D + 1; `token(i)` < 0 for a row of zeros. */
template <class Element, class TokenOf>
static __device__ __forceinline__ void loadRows(float* target, const Element* source, int rows, int rowLength, int headStart,
												int headDim, TokenOf token) {
	for (int at = threadIdx.x; at < rows * headDim; at += blockDim.x) {
		const int row = at / headDim, d = at % headDim, from = token(row);
		target[row * (headDim + 1) + d] = from < 0 ? 0.0f : floatOf(source[static_cast<Count>(from) * rowLength + headStart + d]);
	}
}

static __device__ __forceinline__ float dot(const float* a, const float* b, int length) {
	float sum = 0.0f;
#pragma unroll 4
	for (int d = 0; d < length; d++) sum += a[d] * b[d];
	return sum;
}

/** result[i] += Σ_row factors[row] × tile[row][d] of the dimensions d that this thread holds, in ascending order of the rows. */
template <int each, int rows>
static __device__ __forceinline__ void addRows(float (&result)[each], const float* factors, const float* tile, int headDim) {
	const int lane = threadIdx.x % threadsPerRow;
#pragma unroll 1
	for (int row = 0; row < rows; row++) {
#pragma unroll
		for (int i = 0; i < each; i++) {
			const int d = lane + threadsPerRow * i;
			if (d < headDim) result[i] += factors[row] * tile[row * (headDim + 1) + d];
		}
	}
}

/** `each`: dimensions of the head that a thread holds, at most; `keys`: those of a tile. */
template <int each, int keys, class Element>
static __device__ __forceinline__ void attendForward(Element* out, float* logSumExp, const Element* q, const Element* k, const Element* v,
													 const Segments& segments, int heads, int keyHeads, int headDim, int queryStride,
													 int keyStride, const Sight& sight, float scale) {
	DYNAMIC_SHARED(shared);
	const int padded = headDim + 1, row = threadIdx.x / threadsPerRow, lane = threadIdx.x % threadsPerRow;
	float* const queryTile = reinterpret_cast<float*>(shared);
	float* const keyTile = queryTile + attentionRows * padded;
	float* const valueTile = keyTile + keys * padded;
	float* const weights = valueTile + keys * padded;
	const TokenTile tile = tokenTile(segments, blockIdx.x, attentionRows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads), token = tile.first + row;
	const bool there = token < stretch.to;
	const Places seen = sight.seenFrom(stretch.placeOf(token), stretch.length());
	const int endOfBlock = sight.end(stretch.placeOf(tile.first + attentionRows - 1), stretch.length());
	loadRows(queryTile, q, attentionRows, queryStride, head * headDim, headDim,
			 [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; });
	float result[each] = {};
	float largest = -INFINITE, sum = 0.0f;
	for (int first = sight.first(stretch.placeOf(tile.first)) / keys * keys; first < endOfBlock; first += keys) {
		const auto token = [&](int i) { return first + i < stretch.length() ? stretch.token(first + i) : -1; };
		__syncthreads();
		loadRows(keyTile, k, keys, keyStride, keyHead * headDim, headDim, token);
		loadRows(valueTile, v, keys, keyStride, keyHead * headDim, headDim, token);
		__syncthreads();
		float scores[keys / threadsPerRow];
		float best = largest;
#pragma unroll
		for (int i = 0; i < keys / threadsPerRow; i++) {
			const int key = lane + threadsPerRow * i;
			scores[i] = seen.have(first + key) ? scale * dot(queryTile + row * padded, keyTile + key * padded, headDim) : -INFINITE;
			best = larger(best, scores[i]);
		}
		best = overWarp<larger, threadsPerRow>(best);
		const float shrink = best == largest ? 1.0f : expf(largest - best);
		float added = 0.0f;
#pragma unroll
		for (int i = 0; i < keys / threadsPerRow; i++) {
			const float weight = scores[i] == -INFINITE ? 0.0f : expf(scores[i] - best);
			weights[row * keys + lane + threadsPerRow * i] = weight;
			added += weight;
		}
		sum = sum * shrink + overWarp<add, threadsPerRow>(added);
		largest = best;
		__syncwarp();
#pragma unroll
		for (int i = 0; i < each; i++) result[i] *= shrink;
		addRows<each, keys>(result, weights + row * keys, valueTile, headDim);
	}
	if (!there) return;
#pragma unroll
	for (int i = 0; i < each; i++) {
		const int d = lane + threadsPerRow * i;
		if (d < headDim) store(out + (static_cast<Count>(token) * heads + head) * headDim + d, result[i] / sum, 0);
	}
	if (lane == 0) logSumExp[static_cast<Count>(token) * heads + head] = largest + logf(sum);
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
template <int each, int keys, class Element>
static __device__ __forceinline__ void attendBackwardQueries(Element* dq, const Element* q, const Element* k, const Element* v,
															 const Element* dOut, const float* logSumExp, const float* delta,
															 const Segments& segments, int heads, int keyHeads, int headDim,
															 int queryStride, int keyStride, const Sight& sight, float scale) {
	DYNAMIC_SHARED(shared);
	const int padded = headDim + 1, row = threadIdx.x / threadsPerRow, lane = threadIdx.x % threadsPerRow;
	float* const queryTile = reinterpret_cast<float*>(shared);
	float* const upstreamTile = queryTile + attentionRows * padded;
	float* const keyTile = upstreamTile + attentionRows * padded;
	float* const valueTile = keyTile + keys * padded;
	float* const slopes = valueTile + keys * padded;
	const TokenTile tile = tokenTile(segments, blockIdx.x, attentionRows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads), token = tile.first + row;
	const bool there = token < stretch.to;
	const Places seen = sight.seenFrom(stretch.placeOf(token), stretch.length());
	const int endOfBlock = sight.end(stretch.placeOf(tile.first + attentionRows - 1), stretch.length());
	const auto ownToken = [&](int i) { return tile.first + i < stretch.to ? tile.first + i : -1; };
	loadRows(queryTile, q, attentionRows, queryStride, head * headDim, headDim, ownToken);
	loadRows(upstreamTile, dOut, attentionRows, heads * headDim, head * headDim, headDim, ownToken);
	const Count at = static_cast<Count>(token) * heads + head;
	const float logSum = there ? logSumExp[at] : 0.0f, offset = there ? delta[at] : 0.0f;
	float result[each] = {};
	for (int first = sight.first(stretch.placeOf(tile.first)) / keys * keys; first < endOfBlock; first += keys) {
		const auto token = [&](int i) { return first + i < stretch.length() ? stretch.token(first + i) : -1; };
		__syncthreads();
		loadRows(keyTile, k, keys, keyStride, keyHead * headDim, headDim, token);
		loadRows(valueTile, v, keys, keyStride, keyHead * headDim, headDim, token);
		__syncthreads();
#pragma unroll
		for (int i = 0; i < keys / threadsPerRow; i++) {
			const int key = lane + threadsPerRow * i;
			float slope = 0.0f;
			if (seen.have(first + key)) {
				const float p = expf(scale * dot(queryTile + row * padded, keyTile + key * padded, headDim) - logSum);
				slope = p * (dot(upstreamTile + row * padded, valueTile + key * padded, headDim) - offset) * scale;
			}
			slopes[row * keys + key] = slope;
		}
		__syncwarp();
		addRows<each, keys>(result, slopes + row * keys, keyTile, headDim);
	}
	if (!there) return;
#pragma unroll
	for (int i = 0; i < each; i++) {
		const int d = lane + threadsPerRow * i;
		if (d < headDim) store(dq + static_cast<Count>(token) * queryStride + head * headDim + d, result[i], 0);
	}
}

/** dv = Σ p × dOut and dk = Σ ds × q over the queries that see a key: those of its segment, then those of its children in order. */
template <int each, int queries, class Element>
static __device__ __forceinline__ void attendBackwardKeys(Element* dk, Element* dv, const Element* q, const Element* k, const Element* v,
														  const Element* dOut, const float* logSumExp, const float* delta,
														  const Segments& segments, int heads, int keyHeads, int headDim,
														  int queryStride, int keyStride, const Sight& sight, float scale) {
	DYNAMIC_SHARED(shared);
	const int padded = headDim + 1, row = threadIdx.x / threadsPerRow, lane = threadIdx.x % threadsPerRow;
	float* const keyTile = reinterpret_cast<float*>(shared);
	float* const valueTile = keyTile + attentionRows * padded;
	float* const queryTile = valueTile + attentionRows * padded;
	float* const upstreamTile = queryTile + queries * padded;
	float* const weights = upstreamTile + queries * padded;
	float* const slopes = weights + attentionRows * queries;
	const TokenTile tile = tokenTile(segments, blockIdx.x, attentionRows);
	if (tile.segment < 0) return;
	const int segmentEnd = segments.starts[tile.segment + 1];
	const int keyHead = blockIdx.y, token = tile.first + row;
	const bool there = token < segmentEnd;
	const auto ownToken = [&](int i) { return tile.first + i < segmentEnd ? tile.first + i : -1; };
	loadRows(keyTile, k, attentionRows, keyStride, keyHead * headDim, headDim, ownToken);
	loadRows(valueTile, v, attentionRows, keyStride, keyHead * headDim, headDim, ownToken);
	float dKey[each] = {}, dValue[each] = {};
	for (int segment = tile.segment; segment < segments.count; segment++) {
		const bool own = segment == tile.segment;
		// children of a segment follow it without others between
		if (!own && (segments.parents == nullptr || segments.parents[segment] != tile.segment)) break;
		const QueryRange range = queriesOf(segments, segment, tile, attentionRows, queries, sight);
		const Places seeing = sight.seeing(token - range.between);
		for (int head = firstQueryHead(keyHead, heads, keyHeads); head < firstQueryHead(keyHead + 1, heads, keyHeads); head++) {
			for (int first = range.from; first < range.to; first += queries) {
				const auto queryToken = [&](int i) { return first + i < range.to ? first + i : -1; };
				__syncthreads();
				loadRows(queryTile, q, queries, queryStride, head * headDim, headDim, queryToken);
				loadRows(upstreamTile, dOut, queries, heads * headDim, head * headDim, headDim, queryToken);
				__syncthreads();
#pragma unroll
				for (int i = 0; i < queries / threadsPerRow; i++) {
					const int index = lane + threadsPerRow * i, query = first + index;
					float p = 0.0f, slope = 0.0f;
					if (there && query < range.to && seeing.have(query)) {
						const Count at = static_cast<Count>(query) * heads + head;
						p = expf(scale * dot(queryTile + index * padded, keyTile + row * padded, headDim) - logSumExp[at]);
						slope = p * (dot(upstreamTile + index * padded, valueTile + row * padded, headDim) - delta[at]) * scale;
					}
					weights[row * queries + index] = p;
					slopes[row * queries + index] = slope;
				}
				__syncwarp();
				addRows<each, queries>(dKey, slopes + row * queries, queryTile, headDim);
				addRows<each, queries>(dValue, weights + row * queries, upstreamTile, headDim);
			}
		}
	}
	if (!there) return;
#pragma unroll
	for (int i = 0; i < each; i++) {
		const int d = lane + threadsPerRow * i;
		if (d >= headDim) break;
		const Count at = static_cast<Count>(token) * keyStride + keyHead * headDim + d;
		store(dk + at, dKey[i], 0);
		store(dv + at, dValue[i], 0);
	}
}

// Heads of up to 64, 128 and 256 dimensions. The names and sizes stand once more in the backend's attention.ts.
#define ATTENTION_KERNELS(suffix, Element, most, keys) \
	KERNEL __launch_bounds__(128) attention##most##suffix(Element* out, float* logSumExp, const Element* q, const Element* k, const Element* v, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int keyStride, int causal, int window, float scale) { \
		attendForward<most / threadsPerRow, keys>(out, logSumExp, q, k, v, {starts, parents, count}, heads, keyHeads, headDim, queryStride, keyStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(128) attentionBackwardQueries##most##suffix(Element* dq, const Element* q, const Element* k, const Element* v, const Element* dOut, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int keyStride, int causal, int window, float scale) { \
		attendBackwardQueries<most / threadsPerRow, keys>(dq, q, k, v, dOut, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, queryStride, keyStride, {causal, window}, scale); \
	} \
	KERNEL __launch_bounds__(128) attentionBackwardKeys##most##suffix(Element* dk, Element* dv, const Element* q, const Element* k, const Element* v, const Element* dOut, const float* logSumExp, const float* delta, const int* starts, const int* parents, int count, int heads, int keyHeads, int headDim, int queryStride, int keyStride, int causal, int window, float scale) { \
		attendBackwardKeys<most / threadsPerRow, keys>(dk, dv, q, k, v, dOut, logSumExp, delta, {starts, parents, count}, heads, keyHeads, headDim, queryStride, keyStride, {causal, window}, scale); \
	}
#define ALL_ATTENTION_KERNELS(suffix, Element) \
	KERNEL attentionDelta##suffix(float* delta, const Element* out, const Element* dOut, Count rows, int headDim) { \
		multiplyOutputs(delta, out, dOut, rows, headDim); \
	} \
	ATTENTION_KERNELS(suffix, Element, 64, 32) \
	ATTENTION_KERNELS(suffix, Element, 128, 32) \
	ATTENTION_KERNELS(suffix, Element, 256, 16)
FOR_ELEMENTS(ALL_ATTENTION_KERNELS)
#undef ALL_ATTENTION_KERNELS
#undef ATTENTION_KERNELS
