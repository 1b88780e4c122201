// Attention within segments, forward: softmax(scale · q · kᵀ) · v with an online softmax over tiles of keys (Milakov &
// Gimelshein 2018; Dao et al. 2022). A segment's result depends on nothing but its own rows: tiles are counted from its
// start.
#pragma once
#include "attentionTile.h"

namespace vulntune::ISA {

// Floats of scratch memory that one tile needs.
inline int64_t forwardScratch(const AttentionSizes& sizes) {
	return (2 * sizes.headDim + keysPerTile) * sizes.lanesPerTile();
}

// `q` and `out` point to the segment's first row, `k` and `v` also to the key/value head; logSumExp to its first row.
template <int Vectors>
inline void attendTile(
	const AttentionSizes& sizes,
	const QueryTile& tile,
	float* out,
	float* logSumExp,
	const float* q,
	const float* k,
	const float* v,
	float* scratch) {
	constexpr int64_t lanes = Vectors * W;
	const int64_t headDim = sizes.headDim;
	const int64_t stride = sizes.keyStride();
	float* queries = scratch;                     // [headDim, lanes], times scale · log2 e
	float* outputs = queries + headDim * lanes;   // [headDim, lanes], not yet divided
	float* scores = outputs + headDim * lanes;    // [keysPerTile, lanes], base-2 logarithms, then weights
	for (int j = 0; j < Vectors; j++) {
		const float* from = q + tile.positions[j] * sizes.queryStride() + tile.heads[j] * headDim;
		rowsToLanes(
			queries + j * W, lanes, from, sizes.queryStride(), tile.lanes(j), headDim, sizes.scale * log2OfE);
	}
	vf top[Vectors];
	vf total[Vectors];
	for (int j = 0; j < Vectors; j++) {
		top[j] = splat(-__builtin_inff());
		total[j] = zero();
	}
	const int64_t keysSeen = tile.keysSeen(sizes.causal);
	for (int64_t first = 0; first < keysSeen; first += keysPerTile) {
		const int64_t keys = minimum(keysPerTile, keysSeen - first);
		multiply<Vectors, false>(keys, k + first * stride, stride, queries, lanes, headDim, scores, lanes, false);
		if (first + keys > tile.keysSeenByAll(sizes.causal)) hideLaterKeys<Vectors>(scores, tile, first, keys);
		vf shrink[Vectors];
		UNROLL for (int j = 0; j < Vectors; j++) {
			vf greatest = top[j];
			for (int64_t row = 0; row < keys; row++) greatest = max(load(scores + row * lanes + j * W), greatest);
			shrink[j] = exponential2(top[j] - greatest);
			top[j] = greatest;
			vf sumOfWeights = zero();
			for (int64_t row = 0; row < keys; row++) {
				float* at = scores + row * lanes + j * W;
				const vf weight = exponential2(load(at) - greatest);
				store(at, weight);
				sumOfWeights = sumOfWeights + weight;
			}
			total[j] = fma(total[j], shrink[j], sumOfWeights);
		}
		if (first > 0) {
			for (int64_t d = 0; d < headDim; d++) {
				UNROLL for (int j = 0; j < Vectors; j++) {
					float* at = outputs + d * lanes + j * W;
					store(at, load(at) * shrink[j]);
				}
			}
		}
		multiply<Vectors, true>(headDim, v + first * stride, stride, scores, lanes, keys, outputs, lanes, first > 0);
	}
	for (int j = 0; j < Vectors; j++) {
		float* to = out + tile.positions[j] * sizes.queryStride() + tile.heads[j] * headDim;
		const vf share = splat(1.0f) / total[j];
		lanesToRows(to, sizes.queryStride(), outputs + j * W, lanes, tile.lanes(j), headDim, share);
		float logs[W];
		store(logs, fma(top[j], splat(logOf2), logarithm(total[j])));
		for (int lane = 0; lane < tile.lanes(j); lane++) {
			logSumExp[(tile.positions[j] + lane) * sizes.heads + tile.heads[j]] = logs[lane];
		}
	}
}

static void attention(
	Pool& pool,
	float* out,
	float* logSumExp,
	const float* q,
	const float* k,
	const float* v,
	const int32_t* segmentStarts,
	int64_t segments,
	int64_t heads,
	int64_t keyValueHeads,
	int64_t headDim,
	bool causal,
	float scale) {
	const AttentionSizes sizes = {heads, keyValueHeads, headDim, causal, scale};
	pool.reserve((segments + 1) * sizeof(int64_t), forwardScratch(sizes) * sizeof(float));
	const auto tilesOf = [&](int64_t length) { return divideUp(sizes.queryVectors(length), sizes.vectorsPerTile()); };
	int64_t* tilesBefore = static_cast<int64_t*>(pool.shared());
	tilesBefore[0] = 0;
	for (int64_t s = 0; s < segments; s++) {
		tilesBefore[s + 1] = tilesBefore[s] + keyValueHeads * tilesOf(segmentStarts[s + 1] - segmentStarts[s]);
	}
	pool.run(tilesBefore[segments], [&](int64_t task, int thread) {
		const int64_t segment = lastAtMost(tilesBefore, segments, task);
		const int64_t start = segmentStarts[segment];
		const int64_t length = segmentStarts[segment + 1] - start;
		const int64_t tiles = tilesOf(length);
		const int64_t keyValueHead = (task - tilesBefore[segment]) / tiles;
		// The last tiles see the most keys, so they come first.
		const int64_t index = tiles - 1 - (task - tilesBefore[segment]) % tiles;
		const QueryTile tile = makeTile(
			sizes, length, keyValueHead, index * sizes.vectorsPerTile(), sizes.queryVectors(length));
		float* outputs = out + start * sizes.queryStride();
		float* logs = logSumExp + start * heads;
		const float* queries = q + start * sizes.queryStride();
		const int64_t keyOffset = start * sizes.keyStride() + keyValueHead * headDim;
		float* scratch = static_cast<float*>(pool.local(thread));
		if (tile.vectors == 1) attendTile<1>(sizes, tile, outputs, logs, queries, k + keyOffset, v + keyOffset, scratch);
		if (tile.vectors == 2) attendTile<2>(sizes, tile, outputs, logs, queries, k + keyOffset, v + keyOffset, scratch);
		if (tile.vectors == 3) attendTile<3>(sizes, tile, outputs, logs, queries, k + keyOffset, v + keyOffset, scratch);
	});
}

}  // namespace vulntune::ISA
