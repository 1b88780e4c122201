// Attention by the matrix unit, forward: products of operands rounded to bfloat16 with float32 sums, softmax in float32.
// Otherwise as attention.h.
#pragma once
#include "attention.h"
#include "matrixAttentionOperands.h"

namespace vulntune::ISA {

struct ForwardByUnit {
	const AttentionSizes& sizes;
	const PackedKeys& packed;
	float* out;
	float* logSumExp;
	const float* q;

	int64_t scratchFloats() const {
		return (packed.headPairs() + sizes.paddedDim() + keysPerTile + keyPairs) * sizes.lanesPerTile();
	}

	template <int Vectors>
	void attend(const QueryTile& tile, float* scratch) const {
		constexpr int64_t lanes = Vectors * W;
		const int64_t headDim = sizes.headDim;
		const int64_t headPairs = packed.headPairs();
		const int64_t padded = sizes.paddedDim();
		float* queries = scratch;                     // [headPairs, lanes], times scale · log2 e
		float* outputs = queries + headPairs * lanes; // [padded, lanes], not yet divided
		float* scores = outputs + padded * lanes;     // [keysPerTile, lanes], base-2 logarithms
		float* weights = scores + keysPerTile * lanes; // [keyPairs, lanes]
		vf top[Vectors];
		vf total[Vectors];
		for (int j = 0; j < Vectors; j++) {
			const int64_t row = tile.segment.start + tile.positions[j];
			packLanes(
				queries + j * W, lanes, q + row * sizes.queryStride + tile.heads[j] * headDim, sizes.queryStride,
				tile.lanes(j), headDim, headPairs, sizes.scale * log2OfE);
			top[j] = splat(-__FLT_MAX__); // finite, so that a tile of hidden keys alone has weights of 0
			total[j] = zero();
		}
		const int64_t firstSeen = tile.firstSeen(sizes);
		const int64_t endSeen = tile.endSeen(sizes);
		const float* block = packed.blocksOf(tile) + firstSeen / keysPerTile * packed.blockStride();
		for (int64_t first = firstSeen; first < endSeen; first += keysPerTile, block += packed.blockStride()) {
			const int64_t keys = minimum(keysPerTile, endSeen - first);
			const int64_t steps = divideUp(keys, 2 * matrixTileSteps);
			multiplyByUnit<Vectors, false>(
				divideUp(keys, matrixTileRows), block, headPairs, queries, lanes, headPairs / matrixTileSteps, scores, lanes);
			if (!tile.allSee(sizes, first, keys)) hideUnseenKeys<Vectors>(scores, sizes, tile, first, keys);
			for (int64_t i = keys * lanes; i < steps * 2 * matrixTileSteps * lanes; i += W) {
				store(scores + i, splat(-__builtin_inff()));
			}
			vf shrink[Vectors];
			UNROLL for (int j = 0; j < Vectors; j++) {
				vf greatest = top[j];
				for (int64_t row = 0; row < keys; row++) greatest = max(load(scores + row * lanes + j * W), greatest);
				shrink[j] = exponential2(top[j] - greatest);
				top[j] = greatest;
				vf sumOfWeights = zero();
				for (int64_t pair = 0; pair < steps * matrixTileSteps; pair++) {
					const float* at = scores + 2 * pair * lanes + j * W;
					const vf even = exponential2(load(at) - greatest);
					const vf odd = exponential2(load(at + lanes) - greatest);
					sumOfWeights = sumOfWeights + even + odd;
					store(weights + pair * lanes + j * W, roundLanesToBf16(even, odd));
				}
				total[j] = fma(total[j], shrink[j], sumOfWeights);
			}
			const float* values = block + packed.alongHead();
			if (first == firstSeen) {
				multiplyByUnit<Vectors, false>(padded / W, values, keyPairs, weights, lanes, steps, outputs, lanes);
				continue;
			}
			for (int64_t d = 0; d < padded; d++) {
				UNROLL for (int j = 0; j < Vectors; j++) {
					float* at = outputs + d * lanes + j * W;
					store(at, load(at) * shrink[j]);
				}
			}
			multiplyByUnit<Vectors, true>(padded / W, values, keyPairs, weights, lanes, steps, outputs, lanes);
		}
		writeResults<Vectors>(sizes, tile, out, logSumExp, outputs, top, total);
	}
};

inline void attentionByUnit(
	Pool& pool, float* out, float* logSumExp, const float* q, const float* k, const float* v, const Segments& segments,
	const AttentionSizes& sizes) {
	const PackedKeys packed(pool, sizes, segments, false, k, v);
	const ForwardByUnit unit = {sizes, packed, out, logSumExp, q};
	pool.reserve(QueryTiles::bytesFor(segments.count), unit.scratchFloats() * sizeof(float));
	const QueryTiles tiles(sizes, segments, pool.shared());
	pool.run(tiles.count(), [&](int64_t task, int thread) {
		const WholeTiles shaped;
		const QueryTile tile = tiles.at(task);
		withVectors(tile, [&]<int Vectors>() { unit.attend<Vectors>(tile, static_cast<float*>(pool.local(thread))); });
	});
}

}  // namespace vulntune::ISA
