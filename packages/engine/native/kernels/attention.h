// Attention within segments and to their prefixes, forward: softmax(scale · q · kᵀ) · v with an online softmax over tiles of
// keys (Milakov & Gimelshein 2018; Dao et al. 2022). A segment's result depends on nothing but the rows it sees: tiles are
// counted from the start of its prefix, so that it is the same to the bit where prefix and segment lie in one stretch.
#pragma once
#include "attentionTile.h"

namespace vulntune::ISA {

// Floats of scratch memory that one tile needs.
inline int64_t forwardScratch(const AttentionSizes& sizes) {
	return (2 * sizes.headDim + keysPerTile) * sizes.lanesPerTile();
}

// `q`, `out` and logSumExp point to the segment's first row, `k` and `v` to the pack's and to the key/value head.
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
	const int64_t stride = sizes.keyStride;
	float* queries = scratch;                     // [headDim, lanes], times scale · log2 e
	float* outputs = queries + headDim * lanes;   // [headDim, lanes], not yet divided
	float* scores = outputs + headDim * lanes;    // [keysPerTile, lanes], base-2 logarithms, then weights
	for (int j = 0; j < Vectors; j++) {
		const float* from = q + tile.positions[j] * sizes.queryStride + tile.heads[j] * headDim;
		rowsToLanes(
			queries + j * W, lanes, from, sizes.queryStride, tile.lanes(j), headDim, sizes.scale * log2OfE);
	}
	vf top[Vectors];
	vf total[Vectors];
	for (int j = 0; j < Vectors; j++) {
		top[j] = splat(-__FLT_MAX__); // finite, so that a tile of hidden keys alone has weights of 0
		total[j] = zero();
	}
	const int64_t firstSeen = tile.firstSeen(sizes);
	const int64_t endSeen = tile.endSeen(sizes);
	for (int64_t first = firstSeen; first < endSeen; first += keysPerTile) {
		const int64_t keys = minimum(keysPerTile, endSeen - first);
		tile.forKeyRows(first, keys, [&](int64_t at, int64_t count, int64_t row) {
			float* to = scores + at * lanes;
			multiply<Vectors, false>(count, k + row * stride, stride, queries, lanes, headDim, to, lanes, false);
		});
		if (!tile.allSee(sizes, first, keys)) hideUnseenKeys<Vectors>(scores, sizes, tile, first, keys);
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
		if (first > firstSeen) {
			for (int64_t d = 0; d < headDim; d++) {
				UNROLL for (int j = 0; j < Vectors; j++) {
					float* at = outputs + d * lanes + j * W;
					store(at, load(at) * shrink[j]);
				}
			}
		}
		tile.forKeyRows(first, keys, [&](int64_t at, int64_t count, int64_t row) {
			const float* weights = scores + at * lanes;
			const bool isLater = first + at > firstSeen;
			multiply<Vectors, true>(
				headDim, v + row * stride, stride, weights, lanes, count, outputs, lanes, isLater);
		});
	}
	for (int j = 0; j < Vectors; j++) {
		float* to = out + tile.positions[j] * sizes.outputStride() + tile.heads[j] * headDim;
		const vf share = splat(1.0f) / total[j];
		lanesToRows(to, sizes.outputStride(), outputs + j * W, lanes, tile.lanes(j), headDim, share);
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
	const int32_t* segmentParents,
	int64_t count,
	int64_t heads,
	int64_t keyValueHeads,
	int64_t headDim,
	int64_t queryStride,
	int64_t keyStride,
	bool causal,
	int64_t window,
	float scale) {
	const AttentionSizes sizes = {heads, keyValueHeads, headDim, queryStride, keyStride, causal, window, scale};
	const Segments segments = {segmentStarts, segmentParents, count};
	pool.reserve((count + 1) * sizeof(int64_t), forwardScratch(sizes) * sizeof(float));
	const auto tilesOf = [&](int64_t length) { return divideUp(sizes.queryVectors(length), sizes.vectorsPerTile()); };
	int64_t* tilesBefore = static_cast<int64_t*>(pool.shared());
	tilesBefore[0] = 0;
	for (int64_t s = 0; s < count; s++) {
		tilesBefore[s + 1] = tilesBefore[s] + keyValueHeads * tilesOf(segments.lengthOf(s));
	}
	pool.run(tilesBefore[count], [&](int64_t task, int thread) {
		const int64_t s = lastAtMost(tilesBefore, count, task);
		const Segment segment = segments.at(s);
		const int64_t tiles = tilesOf(segment.length);
		const int64_t keyValueHead = (task - tilesBefore[s]) / tiles;
		// The last tiles see the most keys, so they come first.
		const int64_t index = tiles - 1 - (task - tilesBefore[s]) % tiles;
		const QueryTile tile = makeTile(
			sizes, segment, keyValueHead, index * sizes.vectorsPerTile(), sizes.queryVectors(segment.length));
		float* outputs = out + segment.start * sizes.outputStride();
		float* logs = logSumExp + segment.start * heads;
		const float* queries = q + segment.start * sizes.queryStride;
		const float* keys = k + keyValueHead * headDim;
		const float* values = v + keyValueHead * headDim;
		float* scratch = static_cast<float*>(pool.local(thread));
		if (tile.vectors == 1) attendTile<1>(sizes, tile, outputs, logs, queries, keys, values, scratch);
		if (tile.vectors == 2) attendTile<2>(sizes, tile, outputs, logs, queries, keys, values, scratch);
		if (tile.vectors == 3) attendTile<3>(sizes, tile, outputs, logs, queries, keys, values, scratch);
	});
}

}  // namespace vulntune::ISA
