// Keys, values, queries and gradients of attention in bfloat16 as the matrix unit takes them. Attention multiplies with
// each in both directions, so most lie there twice: along a head's dimensions, and along tokens. Where a
// sum has nothing to add, up to whole tiles, there are zeros.
#pragma once
#include "../bf16.h"
#include "attentionTile.h"
#include "matrixTiles.h"

namespace vulntune::ISA {

// Pairs of a block's keys.
constexpr int64_t keyPairs = keysPerTile / 2;

inline int64_t tilePairs(int64_t elements) { return divideUp(elements, 2 * matrixTileSteps) * matrixTileSteps; }

// target [pairs] = a row's headDim numbers.
inline void packHead(float* target, const float* row, int64_t headDim, int64_t pairs) {
	auto* halves = reinterpret_cast<uint16_t*>(target);
	memset(halves + headDim, 0, (2 * pairs - headDim) * sizeof(uint16_t));
	for (int64_t d = 0; d < headDim; d += 2 * W) {
		storeBf16(halves + d, row + d, static_cast<int>(minimum<int64_t>(2 * W, headDim - d)));
	}
}

// Two rows' numbers d … d + W - 1 in pairs; nullptr for a row of zeros.
inline vf pairOfRows(const float* even, const float* odd, int64_t d, int64_t headDim, float factor) {
	const int some = static_cast<int>(minimum<int64_t>(W, headDim - d));
	const vf low = even == nullptr ? zero() : loadPartial(even + d, some) * splat(factor);
	const vf high = odd == nullptr ? zero() : loadPartial(odd + d, some) * splat(factor);
	return roundLanesToBf16(low, high);
}

// What lies in the blocks of packed keys and values of a pack: keysPerTile keys of one key/value head each, counted from the
// start of a segment's prefix. For the forward pass keys [keysPerTile, headPairs] and values [paddedDim, keyPairs]; for the
// backward pass keys and values [keysPerTile, headPairs], keys [paddedDim, keyPairs].
struct PackedKeys {
	const AttentionSizes& sizes;
	const Segments& segments;
	bool backward;
	int64_t* before;  // [segments + 1], blocks
	float* blocks;

	int64_t headPairs() const { return tilePairs(sizes.headDim); }
	int64_t alongHead() const { return keysPerTile * headPairs(); }
	int64_t alongKeys() const { return sizes.paddedDim() * keyPairs; }
	int64_t blockFloats() const { return (backward ? 2 : 1) * alongHead() + alongKeys(); }

	// The blocks that a tile of queries sees some of.
	const float* blocksOf(const QueryTile& tile) const {
		return blocks + (before[tile.segment.index] * sizes.keyValueHeads + tile.keyValueHead) * blockFloats();
	}
	// From a block of a head to its next one.
	int64_t blockStride() const { return sizes.keyValueHeads * blockFloats(); }

	PackedKeys(
		Pool& pool, const AttentionSizes& sizes, const Segments& segments, bool backward, const float* k, const float* v)
		: sizes(sizes), segments(segments), backward(backward) {
		int64_t count = 0;
		for (int64_t s = 0; s < segments.count; s++) count += divideUp(segments.at(s).keys(), keysPerTile);
		const int64_t floats = count * sizes.keyValueHeads * blockFloats();
		blocks = static_cast<float*>(
			pool.workspace(floats * sizeof(float) + (segments.count + 1) * sizeof(int64_t)));
		before = reinterpret_cast<int64_t*>(blocks + floats);
		before[0] = 0;
		for (int64_t s = 0; s < segments.count; s++) {
			before[s + 1] = before[s] + divideUp(segments.at(s).keys(), keysPerTile);
		}
		pool.run(count * sizes.keyValueHeads, [&](int64_t task, int) {
			pack(task / sizes.keyValueHeads, task % sizes.keyValueHeads, k, v);
		});
	}

private:
	void pack(int64_t block, int64_t keyValueHead, const float* k, const float* v) const {
		const int64_t s = lastAtMost(before, segments.count, block);
		const Segment segment = segments.at(s);
		const int64_t first = (block - before[s]) * keysPerTile;
		int64_t rows[keysPerTile];
		const int64_t count = minimum(keysPerTile, segment.keys() - first);
		for (int64_t i = 0; i < keysPerTile; i++) {
			const int64_t own = first + i - segment.prefixLength;
			rows[i] = i >= count ? -1 : own < 0 ? segment.prefixStart + first + i : segment.start + own;
		}
		const auto rowOf = [&](const float* matrix, int64_t i) -> const float* {
			return rows[i] < 0 ? nullptr : matrix + rows[i] * sizes.keyStride + keyValueHead * sizes.headDim;
		};
		float* to = blocks + (block * sizes.keyValueHeads + keyValueHead) * blockFloats();
		const auto packAlongHead = [&](const float* matrix) {
			for (int64_t i = 0; i < count; i++) packHead(to + i * headPairs(), rowOf(matrix, i), sizes.headDim, headPairs());
			to += alongHead();
		};
		packAlongHead(k);
		if (backward) packAlongHead(v);
		const float* matrix = backward ? k : v;
		for (int64_t d = 0; d < sizes.headDim; d += W) {
			for (int64_t pair = 0; pair < keyPairs; pair += W) {
				vf pairs[W];
				for (int i = 0; i < W; i++) {
					const int64_t key = 2 * (pair + i);
					pairs[i] = pairOfRows(rowOf(matrix, key), rowOf(matrix, key + 1), d, sizes.headDim, 1.0f);
				}
				transpose(pairs);
				UNROLL for (int i = 0; i < W; i++) store(to + (d + i) * keyPairs + pair, pairs[i]);
			}
		}
	}
};

// target [headPairs, stride] = factor · rows of a vector of lanes, of which those from `lanes` on are 0: pairs along the head.
inline void packLanes(
	float* target, int64_t stride, const float* rows, int64_t rowStride, int lanes, int64_t headDim, int64_t headPairs,
	float factor) {
	for (int64_t pair = 0; pair < headPairs; pair += W) {
		const float* from = rows + 2 * pair;
		const int64_t left = headDim - 2 * pair;
		vf pairs[W];
		if (lanes == W && left >= 2 * W) {
			UNROLL for (int lane = 0; lane < W; lane++) {
				const float* row = from + lane * rowStride;
				pairs[lane] = (vf)roundPairToBf16(load(row) * splat(factor), load(row + W) * splat(factor));
			}
		} else {
			const int low = static_cast<int>(minimum<int64_t>(W, left));
			const int high = static_cast<int>(minimum<int64_t>(W, maximum<int64_t>(0, left - W)));
			for (int lane = 0; lane < W; lane++) {
				const float* row = from + lane * rowStride;
				const vf first = lane < lanes ? loadPartial(row, low) : zero();
				const vf second = lane < lanes && high > 0 ? loadPartial(row + W, high) : zero();
				pairs[lane] = (vf)roundPairToBf16(first * splat(factor), second * splat(factor));
			}
		}
		transpose(pairs);
		UNROLL for (int i = 0; i < W; i++) store(target + (pair + i) * stride, pairs[i]);
	}
}

// target [W / 2, paddedDim] = factor · rows of a vector of lanes, likewise: pairs along the lanes.
inline void packLanePairs(
	float* target, const float* rows, int64_t rowStride, int lanes, int64_t headDim, int64_t paddedDim, float factor) {
	const auto rowOf = [&](int lane) { return lane < lanes ? rows + lane * rowStride : nullptr; };
	for (int lane = 0; lane < W; lane += 2) {
		const float* even = rowOf(lane);
		const float* odd = rowOf(lane + 1);
		float* to = target + lane / 2 * paddedDim;
		int64_t d = 0;
		for (; odd != nullptr && d + W <= headDim; d += W) {
			store(to + d, roundLanesToBf16(load(even + d) * splat(factor), load(odd + d) * splat(factor)));
		}
		for (; d < headDim; d += W) store(to + d, pairOfRows(even, odd, d, headDim, factor));
	}
}

// c [rowTiles × 16, Vectors · W] (+)= a · b, a [rowTiles × 16, steps × 16] and b [steps × 16, Vectors · W] pairs.
template <int Vectors, bool accumulate>
__attribute__((noinline)) static void multiplyByUnit(
	int64_t rowTiles, const float* a, int64_t aStride, const float* b, int64_t bStride, int64_t steps, float* c,
	int64_t cStride) {
	const auto forEachSum = [](const auto& each) {
		each.template operator()<upperLeft>(0);
		if constexpr (Vectors > 1) each.template operator()<upperRight>(W);
		if constexpr (Vectors > 2) each.template operator()<lowerLeft>(2 * W);
		if constexpr (Vectors > 3) each.template operator()<lowerRight>(3 * W);
	};
	for (; rowTiles > 0; rowTiles--) {
		forEachSum([&]<MatrixTile sum>(int column) {
			if constexpr (accumulate) loadTile<sum>(c + column, cStride);
			else zeroTile<sum>();
		});
		for (int64_t step = 0; step < steps; step++) {
			loadTile<upperRows>(a + step * matrixTileSteps, aStride);
			const float* columns = b + step * matrixTileSteps * bStride;
			forEachSum([&]<MatrixTile sum>(int column) {
				loadTile<leftColumns>(columns + column, bStride);
				multiplyTiles<sum, upperRows, leftColumns>();
			});
		}
		forEachSum([&]<MatrixTile sum>(int column) { storeTile<sum>(c + column, cStride); });
		a += matrixTileRows * aStride;
		c += matrixTileRows * cStride;
	}
}

// Shapes the unit's tiles for all products of a task.
struct WholeTiles {
	WholeTiles() { shapeTiles(MatrixTileShapes(2 * matrixTileRows)); }
	WholeTiles(const WholeTiles&) = delete;
	~WholeTiles() { releaseTiles(); }
};

}  // namespace vulntune::ISA
