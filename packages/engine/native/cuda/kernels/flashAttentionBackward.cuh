// The gradients of attention on tensor cores: what they are of and how tiles are walked over stands in flashAttention.cuh.
#pragma once
#include "flashAttention.cuh"

#if defined(BFLOAT16_TENSOR_CORES) || defined(FLOAT16_TENSOR_CORES)

/** What the backward pass needs of a query's row besides its vectors; a row that sees nothing of a tile has p = 0. */
struct RowState {
	float logSum, delta;
};

/** dq of a block's queries, as `attendBackwardQueries`. */
template <class In, int size>
static __device__ __forceinline__ void flashBackwardQueries(Bfloat16* dq, const FlashOperands& operands, const float* logSumExp,
															const float* delta, const Segments& segments, int heads, int keyHeads,
															int headDim, int gradientStride, const Sight& sight, float scale) {
	using Plan = typename In::template Plan<size>;
	constexpr int rows = Plan::rows, walked = Plan::walkedKeys;
	using Rows = OwnRows<In, size, rows, Plan::bothInRegisters>;
	DYNAMIC_SHARED(shared);
	Half* const queryTile = reinterpret_cast<Half*>(shared);
	const TokenTile tile = tokenTile(segments, gridDim.x - 1 - blockIdx.x, rows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads);
	const int warpRow = threadIdx.x / warpSize32 * 16, lane = threadIdx.x % warpSize32;
	const int token = tile.first + warpRow + lane / 4;
	const int place = stretch.placeOf(tile.first), length = stretch.length(), firstTile = sight.first(place) / walked;
	const int tiles = (sight.end(place + rows - 1, length) + walked - 1) / walked;
	const auto keyToken = [&](int index, int i) { return index * walked + i < length ? stretch.token(index * walked + i) : -1; };
	typename In::template Walk<size, walked, Plan::bringsAheadOfBoth> walk(queryTile + 2 * Rows::halves, operands.k, operands.v);
	Rows queries, upstream;
	queries.bring(queryTile, operands.q, head, tile.first, stretch.to);
	upstream.bring(queryTile + Rows::halves, operands.dOut, head, tile.first, stretch.to);
	walk.start(firstTile, keyHead, keyToken);
	RowState state[2];
	float factors[2], upstreamScales[2];
	const int row = place + warpRow + lane / 4;
	const Places seen[2] = {sight.seenFrom(row, length), sight.seenFrom(row + 8, length)};
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		const bool there = own < stretch.to;
		const Count at = static_cast<Count>(own) * heads + head;
		state[half] = there ? RowState{logSumExp[at] * log2OfE, delta[at]} : RowState{0.0f, 0.0f};
		factors[half] = scale * log2OfE * (there ? In::scaleOf(operands.q, own, head) : 1.0f);
		upstreamScales[half] = there ? In::scaleOf(operands.dOut, own, head) : 1.0f;
	}
	WeightedRows<In, size> result;
	for (int index = firstTile; index < tiles; index++) {
		walk.arrive(index, tiles, keyHead, keyToken, [] {});
		float scores[walked / 8][4], slopes[walked / 8][4];
		queries.template multiply<walked>(scores, walk.first());
		upstream.template multiply<walked>(slopes, walk.second());
#pragma unroll
		for (int j = 0; j < walked / 8; j++) {
#pragma unroll
			for (int i = 0; i < 4; i++) {
				const int half = i / 2, column = 8 * j + lane % 4 * 2 + i % 2;
				const float keyScale = walk.firstScale(column);
				const float score = scores[j][i] * factors[half] * keyScale;
				const float p = seen[half].have(index * walked + column) ? exp2f(score - state[half].logSum) : 0.0f;
				slopes[j][i] = p * (slopes[j][i] * upstreamScales[half] * walk.secondScale(column) - state[half].delta) * keyScale;
			}
		}
		result.template add<size, walked>({1.0f, 1.0f}, slopes, walk.first(), 0);
		walk.leave();
	}
	walk.end();
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		if (own >= stretch.to) continue;
		result.store(dq + static_cast<Count>(own) * gradientStride + head * headDim, half, scale, headDim);
	}
}

/**
 * dk and dv of a block's keys, as `attendBackwardKeys`: a warp's rows are keys, and the tiles it walks over are queries. Where a head has more
 * columns than registers hold sums of, several blocks have a part of these each.
 */
template <class In, int size>
static __device__ __forceinline__ void flashBackwardKeys(Bfloat16* dk, Bfloat16* dv, const FlashOperands& operands, const float* logSumExp,
														 const float* delta, const Segments& segments, int heads, int keyHeads, int headDim,
														 int gradientStride, const Sight& sight, float scale) {
	using Plan = typename In::template Plan<size>;
	constexpr int rows = Plan::rows, walked = Plan::walkedQueries, columns = size < 128 ? size : 128;
	using Rows = OwnRows<In, size, rows, false>;
	DYNAMIC_SHARED(shared);
	Half* const keyTile = reinterpret_cast<Half*>(shared);
	__shared__ RowState states[walked];
	const TokenTile tile = tokenTile(segments, blockIdx.x, rows);
	if (tile.segment < 0) return;
	const int segmentEnd = segments.starts[tile.segment + 1];
	const int keyHead = blockIdx.y, firstColumn = blockIdx.z * columns;
	const int warpRow = threadIdx.x / warpSize32 * 16, lane = threadIdx.x % warpSize32;
	const int token = tile.first + warpRow + lane / 4;
	typename In::template Walk<size, walked, false> walk(keyTile + 2 * Rows::halves, operands.q, operands.dOut);
	Rows keys, valuesOfKeys;
	keys.bring(keyTile, operands.k, keyHead, tile.first, segmentEnd);
	valuesOfKeys.bring(keyTile + Rows::halves, operands.v, keyHead, tile.first, segmentEnd);
	float factors[2], valueScales[2];
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		factors[half] = scale * log2OfE * (own < segmentEnd ? In::scaleOf(operands.k, own, keyHead) : 1.0f);
		valueScales[half] = own < segmentEnd ? In::scaleOf(operands.v, own, keyHead) : 1.0f;
	}
	WeightedRows<In, columns> dKey, dValue;
	for (int segment = tile.segment; segment < segments.count; segment++) {
		const bool own = segment == tile.segment;
		// children of a segment follow it without others between
		if (!own && (segments.parents == nullptr || segments.parents[segment] != tile.segment)) break;
		const QueryRange range = queriesOf(segments, segment, tile, rows, walked, sight);
		// rows of zeros beyond the ends add nothing
		const Places seeing[2] = {sight.seeing(token - range.between), sight.seeing(token + 8 - range.between)};
		const auto queryToken = [&](int first, int i) { return first + i < range.to ? first + i : -1; };
		for (int head = firstQueryHead(keyHead, heads, keyHeads); head < firstQueryHead(keyHead + 1, heads, keyHeads); head++) {
			for (int first = range.from; first < range.to; first += walked) {
				walk.arrive(first, range.to, head, queryToken, [&] {
					if (threadIdx.x >= walked) return;
					const int query = first + threadIdx.x;
					const Count at = static_cast<Count>(query) * heads + head;
					states[threadIdx.x] = query < range.to ? RowState{logSumExp[at] * log2OfE, delta[at]} : RowState{0.0f, 0.0f};
				});
				float weights[walked / 8][4], slopes[walked / 8][4];
				keys.template multiply<walked>(weights, walk.first());
				valuesOfKeys.template multiply<walked>(slopes, walk.second());
#pragma unroll
				for (int j = 0; j < walked / 8; j++) {
#pragma unroll
					for (int i = 0; i < 4; i++) {
						const int half = i / 2, column = 8 * j + lane % 4 * 2 + i % 2;
						const float queryScale = walk.firstScale(column), upstreamScale = walk.secondScale(column);
						const float score = weights[j][i] * factors[half] * queryScale;
						const float p = seeing[half].have(first + column) ? exp2f(score - states[column].logSum) : 0.0f;
						slopes[j][i] = p * (slopes[j][i] * valueScales[half] * upstreamScale - states[column].delta) * queryScale;
						weights[j][i] = p * upstreamScale;
					}
				}
				dValue.template add<size, walked>({1.0f, 1.0f}, weights, walk.second(), firstColumn);
				dKey.template add<size, walked>({1.0f, 1.0f}, slopes, walk.first(), firstColumn);
				walk.leave();
			}
		}
	}
	walk.end();
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		if (own >= segmentEnd) continue;
		const Count at = static_cast<Count>(own) * gradientStride + keyHead * headDim + firstColumn;
		dKey.store(dk + at, half, scale, headDim - firstColumn);
		dValue.store(dv + at, half, 1.0f, headDim - firstColumn);
	}
}

#endif
