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

// A tile's rows of out and logSumExp from its outputs [headDim, lanes], which are not yet divided, the largest of its scores and
// the sums of its weights.
template <int Vectors>
inline void writeResults(
	const AttentionSizes& sizes,
	const QueryTile& tile,
	float* out,
	float* logSumExp,
	const float* outputs,
	const vf (&top)[Vectors],
	const vf (&total)[Vectors]) {
	for (int j = 0; j < Vectors; j++) {
		const int64_t row = tile.segment.start + tile.positions[j];
		float* to = out + row * sizes.outputStride() + tile.heads[j] * sizes.headDim;
		const vf share = splat(1.0f) / total[j];
		lanesToRows(to, sizes.outputStride(), outputs + j * W, Vectors * W, tile.lanes(j), sizes.headDim, share);
		float logs[W];
		store(logs, fma(top[j], splat(logOf2), logarithm(total[j])));
		for (int lane = 0; lane < tile.lanes(j); lane++) {
			logSumExp[(row + lane) * sizes.heads + tile.heads[j]] = logs[lane];
		}
	}
}

// `k` and `v` point to the key/value head.
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
		const float* from =
			q + (tile.segment.start + tile.positions[j]) * sizes.queryStride + tile.heads[j] * headDim;
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
	writeResults<Vectors>(sizes, tile, out, logSumExp, outputs, top, total);
}

// All tiles of queries of a pack, numbered through its segments and key/value heads.
struct QueryTiles {
	const AttentionSizes& sizes;
	const Segments& segments;
	int64_t* before;  // [segments + 1]

	static int64_t bytesFor(int64_t segments) { return (segments + 1) * sizeof(int64_t); }

	// `room`: for bytesFor(segments.count).
	QueryTiles(const AttentionSizes& sizes, const Segments& segments, void* room)
		: sizes(sizes), segments(segments), before(static_cast<int64_t*>(room)) {
		before[0] = 0;
		for (int64_t s = 0; s < segments.count; s++) {
			before[s + 1] = before[s] + sizes.keyValueHeads * tilesOf(segments.lengthOf(s));
		}
	}

	int64_t count() const { return before[segments.count]; }

	QueryTile at(int64_t number) const {
		const int64_t s = lastAtMost(before, segments.count, number);
		const Segment segment = segments.at(s);
		const int64_t tiles = tilesOf(segment.length);
		const int64_t keyValueHead = (number - before[s]) / tiles;
		// The last tiles see the most keys, so they come first.
		const int64_t index = tiles - 1 - (number - before[s]) % tiles;
		return makeTile(
			sizes, segment, keyValueHead, index * sizes.vectorsPerTile(), sizes.queryVectors(segment.length));
	}

private:
	int64_t tilesOf(int64_t length) const { return divideUp(sizes.queryVectors(length), sizes.vectorsPerTile()); }
};

inline void attentionInFloats(
	Pool& pool, float* out, float* logSumExp, const float* q, const float* k, const float* v, const Segments& segments,
	const AttentionSizes& sizes) {
	pool.reserve(QueryTiles::bytesFor(segments.count), forwardScratch(sizes) * sizeof(float));
	const QueryTiles tiles(sizes, segments, pool.shared());
	pool.run(tiles.count(), [&](int64_t task, int thread) {
		const QueryTile tile = tiles.at(task);
		const int64_t head = tile.keyValueHead * sizes.headDim;
		withVectors(tile, [&]<int Vectors>() {
			attendTile<Vectors>(
				sizes, tile, out, logSumExp, q, k + head, v + head, static_cast<float*>(pool.local(thread)));
		});
	});
}

}  // namespace vulntune::ISA
