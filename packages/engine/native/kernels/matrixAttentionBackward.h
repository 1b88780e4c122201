// Gradients of attention by the matrix unit: all products of operands rounded to bfloat16 with float32 sums, the rest in
// float32. Otherwise as attentionBackward.h.
#pragma once
#include "attentionBackward.h"
#include "matrixAttentionOperands.h"

namespace vulntune::ISA {

// delta = Σ_d dOut · out for a vector of lanes: dOut [headPairs, lanes] as it was rounded, so that where a query sees next to
// nothing next to nothing is left of dS.
inline vf deltaOfPairs(const float* dOutputs, const float* outputs, int64_t lanes, int64_t headDim) {
	vf delta = zero();
	for (int64_t d = 0; d < headDim; d++) {
		const vint pairs = bitsOf(load(dOutputs + d / 2 * lanes));
		const vf dOutput = floatOf(d % 2 == 0 ? pairs << 16 : pairs & static_cast<int32_t>(0xffff0000));
		delta = fma(load(outputs + d * lanes), dOutput, delta);
	}
	return delta;
}

// c [rowTiles × 16, padded] (+)= a [rowTiles × 16, pairs] · b [pairs, padded].
template <bool accumulate>
inline void multiplyLanes(
	int64_t rowTiles, const float* a, int64_t pairs, const float* b, int64_t padded, float* c, int64_t cStride) {
	for (int64_t d = 0; d < padded;) {
		const int64_t vectors = minimum<int64_t>(4, (padded - d) / W);
		const auto take = [&](auto product) {
			product(rowTiles, a, pairs, b + d, padded, pairs / matrixTileSteps, c + d, cStride);
		};
		if (vectors == 1) take(multiplyByUnit<1, accumulate>);
		if (vectors == 2) take(multiplyByUnit<2, accumulate>);
		if (vectors == 3) take(multiplyByUnit<3, accumulate>);
		if (vectors == 4) take(multiplyByUnit<4, accumulate>);
		d += vectors * W;
	}
}

struct UnitTileBackward {
	using Held = WholeTiles;

	const AttentionSizes& sizes;
	const PackedKeys& packed;
	BackwardPointers at;

	int64_t scratchFloats() const {
		const int64_t lanes = sizes.lanesPerTile();
		const int64_t padded = sizes.paddedDim();
		return (2 * packed.headPairs() + padded + 2 * keysPerTile + keyPairs) * lanes +
			2 * (keysPerTile + padded) * tilePairs(lanes) + matrixTileRows * padded;
	}

	// `sums`: of the chunk, its row 0 that of the pack.
	template <int Vectors>
	void differentiate(const QueryTile& tile, float* sums, float* scratch) const {
		constexpr int64_t lanes = Vectors * W;
		const int64_t lanePairs = tilePairs(lanes);
		const int64_t headDim = sizes.headDim;
		const int64_t headPairs = packed.headPairs();
		const int64_t padded = sizes.paddedDim();
		float* queries = scratch;                                 // [headPairs, lanes], times scale · log2 e
		float* dOutputs = queries + headPairs * lanes;            // [headPairs, lanes]
		float* dQueries = dOutputs + headPairs * lanes;           // [padded, lanes], not yet scaled; out at first
		float* queryPairs = dQueries + padded * lanes;            // [lanePairs, padded], times scale
		float* dOutputPairs = queryPairs + padded * lanePairs;    // [lanePairs, padded]
		float* scores = dOutputPairs + padded * lanePairs;        // [keysPerTile, lanes]
		float* dWeights = scores + keysPerTile * lanes;           // [keysPerTile, lanes]
		float* dScoresOfLanes = dWeights + keysPerTile * lanes;   // [keyPairs, lanes]
		float* weightRows = dScoresOfLanes + keyPairs * lanes;    // [keysPerTile, lanePairs]
		float* dScoreRows = weightRows + keysPerTile * lanePairs; // [keysPerTile, lanePairs]
		float* stage = dScoreRows + keysPerTile * lanePairs;      // [matrixTileRows, padded]
		vf delta[Vectors];
		vf logs[Vectors];
		memset(queryPairs, 0, 2 * padded * lanePairs * sizeof(float));
		for (int j = 0; j < Vectors; j++) {
			const int64_t firstRow = tile.segment.start + tile.positions[j];
			const int64_t offset = tile.heads[j] * headDim;
			const float* query = at.q + firstRow * sizes.queryStride + offset;
			const float* dOutput = at.dOut + firstRow * sizes.outputStride() + offset;
			const float* output = at.out + firstRow * sizes.outputStride() + offset;
			const int live = tile.lanes(j);
			packLanes(
				queries + j * W, lanes, query, sizes.queryStride, live, headDim, headPairs, sizes.scale * log2OfE);
			packLanes(dOutputs + j * W, lanes, dOutput, sizes.outputStride(), live, headDim, headPairs, 1.0f);
			packLanePairs(
				queryPairs + j * W / 2 * padded, query, sizes.queryStride, live, headDim, padded, sizes.scale);
			packLanePairs(
				dOutputPairs + j * W / 2 * padded, dOutput, sizes.outputStride(), live, headDim, padded, 1.0f);
			float* outputs = dQueries;
			rowsToLanes(outputs + j * W, lanes, output, sizes.outputStride(), live, headDim, 1.0f);
			delta[j] = deltaOfPairs(dOutputs + j * W, outputs + j * W, lanes, headDim);
			logs[j] = logSumExpOf(sizes, tile, j, at.logSumExp);
		}
		const int64_t firstSeen = tile.firstSeen(sizes);
		const int64_t endSeen = tile.endSeen(sizes);
		const float* block = packed.blocksOf(tile) + firstSeen / keysPerTile * packed.blockStride();
		for (int64_t first = firstSeen; first < endSeen; first += keysPerTile, block += packed.blockStride()) {
			const int64_t keys = minimum(keysPerTile, endSeen - first);
			const int64_t rowTiles = divideUp(keys, matrixTileRows);
			const int64_t steps = divideUp(keys, 2 * matrixTileSteps);
			const float* values = block + packed.alongHead();
			const float* keyColumns = values + packed.alongHead();
			const int64_t headSteps = headPairs / matrixTileSteps;
			multiplyByUnit<Vectors, false>(rowTiles, block, headPairs, queries, lanes, headSteps, scores, lanes);
			multiplyByUnit<Vectors, false>(rowTiles, values, headPairs, dOutputs, lanes, headSteps, dWeights, lanes);
			if (!tile.allSee(sizes, first, keys)) hideUnseenKeys<Vectors>(scores, sizes, tile, first, keys);
			for (int64_t i = keys * lanes; i < steps * 2 * matrixTileSteps * lanes; i += W) {
				store(scores + i, splat(-__builtin_inff()));
				store(dWeights + i, zero());
			}
			for (int64_t pair = 0; pair < steps * matrixTileSteps; pair++) {
				vf weights[2][4];
				vf dScores[2][4];
				UNROLL for (int odd = 0; odd < 2; odd++) {
					UNROLL for (int j = 0; j < 4; j++) {
						const int64_t i = (2 * pair + odd) * lanes + j * W;
						weights[odd][j] = j < Vectors ? exponential2(load(scores + i) - logs[j]) : zero();
						dScores[odd][j] = j < Vectors ? weights[odd][j] * (load(dWeights + i) - delta[j]) : zero();
					}
					UNROLL for (int j = 0; j < Vectors; j += 2) {
						const int64_t to = (2 * pair + odd) * lanePairs + j / 2 * W;
						store(weightRows + to, (vf)roundPairToBf16(weights[odd][j], weights[odd][j + 1]));
						store(dScoreRows + to, (vf)roundPairToBf16(dScores[odd][j], dScores[odd][j + 1]));
					}
				}
				UNROLL for (int j = 0; j < Vectors; j++) {
					store(dScoresOfLanes + pair * lanes + j * W, roundLanesToBf16(dScores[0][j], dScores[1][j]));
				}
			}
			const auto addQueries = [&](auto product) {
				product(padded / W, keyColumns, keyPairs, dScoresOfLanes, lanes, steps, dQueries, lanes);
			};
			if (first == firstSeen) addQueries(multiplyByUnit<Vectors, false>);
			else addQueries(multiplyByUnit<Vectors, true>);
			addKeyRows(tile, first, keys, dScoreRows, queryPairs, lanePairs, sums, stage);
			addKeyRows(tile, first, keys, weightRows, dOutputPairs, lanePairs, sums + padded, stage);
		}
		writeQueryGradients<Vectors>(sizes, tile, at.dq, dQueries);
	}

private:
	// dK or dV of keys [first, first + keys), one of the two halves of a row of sums: += a [keys, pairs] · b [pairs, paddedDim].
	// Where a tile's keys don't follow each other in the pack, its products are added up in `stage` first.
	void addKeyRows(
		const QueryTile& tile, int64_t first, int64_t keys, const float* a, const float* b, int64_t pairs, float* sums,
		float* stage) const {
		const int64_t padded = sizes.paddedDim();
		const int64_t stride = 2 * padded;
		for (int64_t key = 0; key < keys; key += matrixTileRows, a += matrixTileRows * pairs) {
			const int64_t count = minimum<int64_t>(matrixTileRows, keys - key);
			tile.forKeyRows(first + key, count, [&](int64_t begin, int64_t some, int64_t row) {
				float* to = sums + row * stride;
				if (some == matrixTileRows) return multiplyLanes<true>(1, a, pairs, b, padded, to, stride);
				if (begin == 0) multiplyLanes<false>(1, a, pairs, b, padded, stage, padded);
				for (int64_t i = 0; i < some; i++) {
					for (int64_t d = 0; d < padded; d += W) {
						float* sum = to + i * stride + d;
						store(sum, load(sum) + load(stage + (begin + i) * padded + d));
					}
				}
			});
		}
	}
};

}  // namespace vulntune::ISA
