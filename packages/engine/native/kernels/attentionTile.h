// What the forward and the backward pass of attention share. A tile holds up to three vectors of queries; the lanes of a
// vector are W neighbouring positions of one head, so that softmax needs no sums across lanes, and keys and values
// are read as they lie. The heads that share a key/value head share its tiles.
#pragma once
#include "../pool.h"
#include "loops.h"
#include "math.h"
#include "transpose.h"

namespace vulntune::ISA {

struct AttentionSizes {
	int64_t heads;
	int64_t keyValueHeads;
	int64_t headDim;
	// Floats from one token's row to the next: of q and dq, of k, v, dk and dv, which may lie in wider matrices.
	int64_t queryStride;
	int64_t keyStride;
	bool causal;
	// A token sees those at less than this distance; more than a pack has tokens for no such bound.
	int64_t window;
	float scale;

	// Keys from a token's own on that it sees.
	int64_t reach() const { return causal ? 1 : window; }

	int64_t group() const { return heads / keyValueHeads; }
	// The same of out and dOut.
	int64_t outputStride() const { return heads * headDim; }
	// headDim in whole vectors.
	int64_t paddedDim() const { return divideUp(headDim, W) * W; }
	int vectorsPerTile() const { return group() % 3 == 0 ? 3 : 2; }
	int64_t lanesPerTile() const { return vectorsPerTile() * W; }
	// Vectors of queries of one segment and one key/value head: positions outermost, heads innermost.
	int64_t queryVectors(int64_t length) const { return divideUp(length, W) * group(); }
};

// Rows of a segment's tokens, and of the prefix (its parent's tokens) that they see before their own.
struct Segment {
	int64_t index;  // in its pack
	int64_t start;
	int64_t length;
	int64_t prefixStart;
	int64_t prefixLength;  // 0 for none

	// Keys of the prefix and its own.
	int64_t keys() const { return prefixLength + length; }
};

// The segments of a pack. parents: nullptr, or the index of each one's parent, -1 for none; a parent and its children lie
// one after the other.
struct Segments {
	const int32_t* starts;
	const int32_t* parents;
	int64_t count;

	bool hasParent(int64_t s) const { return parents != nullptr && parents[s] >= 0; }
	int64_t lengthOf(int64_t s) const { return int64_t{starts[s + 1]} - starts[s]; }
	Segment at(int64_t s) const {
		if (!hasParent(s)) return {s, starts[s], lengthOf(s), 0, 0};
		return {s, starts[s], lengthOf(s), starts[parents[s]], lengthOf(parents[s])};
	}
};

constexpr float log2OfE = 1.44269504088896340736f;
constexpr float logOf2 = 0.69314718055994530942f;
// Keys whose scores are held at a time.
constexpr int64_t keysPerTile = 64;
constexpr int largestVectorsPerTile = 3;

// Keys are counted from the start of the prefix and go on with the segment's own, as if both were one stretch.
struct QueryTile {
	Segment segment;
	int64_t keyValueHead;
	int vectors;
	int64_t positions[largestVectorsPerTile];  // within the segment
	int64_t heads[largestVectorsPerTile];

	// Keys that some query of the tile sees: [firstSeen, endSeen), from a tile of keys' start on. Keys of the tile that one
	// of its queries doesn't see leave no trace in that one's result.
	int64_t firstSeen(const AttentionSizes& sizes) const {
		const int64_t first = maximum<int64_t>(0, segment.prefixLength + positions[0] + 1 - sizes.window);
		return first / keysPerTile * keysPerTile;
	}
	int64_t endSeen(const AttentionSizes& sizes) const {
		return segment.prefixLength + minimum(segment.length, positions[vectors - 1] + W - 1 + sizes.reach());
	}
	// Whether all queries of the tile see all of these keys.
	bool allSee(const AttentionSizes& sizes, int64_t firstKey, int64_t keys) const {
		const int64_t first = segment.prefixLength + positions[vectors - 1] + W - sizes.window;
		const int64_t end = segment.prefixLength + minimum(segment.length, positions[0] + sizes.reach());
		return firstKey >= first && firstKey + keys <= end;
	}
	int lanes(int vector) const {
		return static_cast<int>(minimum<int64_t>(W, segment.length - positions[vector]));
	}
	// Calls body(first, count, row) for the one or two runs of rows that hold the keys [begin, begin + keys): keys
	// begin + first … begin + first + count - 1 lie from `row` on.
	template <typename Body>
	void forKeyRows(int64_t begin, int64_t keys, Body&& body) const {
		const int64_t inPrefix = minimum(keys, maximum<int64_t>(0, segment.prefixLength - begin));
		if (inPrefix > 0) body(int64_t{0}, inPrefix, segment.prefixStart + begin);
		if (inPrefix == keys) return;
		body(inPrefix, keys - inPrefix, segment.start + begin + inPrefix - segment.prefixLength);
	}
};

inline QueryTile makeTile(
	const AttentionSizes& sizes, const Segment& segment, int64_t keyValueHead, int64_t firstVector, int64_t endVector) {
	QueryTile tile;
	tile.segment = segment;
	tile.keyValueHead = keyValueHead;
	tile.vectors = static_cast<int>(minimum<int64_t>(sizes.vectorsPerTile(), endVector - firstVector));
	for (int j = 0; j < tile.vectors; j++) {
		tile.positions[j] = (firstVector + j) / sizes.group() * W;
		tile.heads[j] = keyValueHead * sizes.group() + (firstVector + j) % sizes.group();
	}
	return tile;
}

// Calls body.operator()<Vectors>() for the vectors that a tile has.
template <typename Body>
inline void withVectors(const QueryTile& tile, Body&& body) {
	if (tile.vectors == 1) body.template operator()<1>();
	if (tile.vectors == 2) body.template operator()<2>();
	if (tile.vectors == 3) body.template operator()<3>();
}

// ── a small matrix product ─────────────────────────────────────────────────────────────────────────────────────

#if defined(SIMD_AVX512) || defined(__aarch64__)
constexpr int vectorRegisters = 32;
#else
constexpr int vectorRegisters = 16;
#endif

// Rows whose sums fit into registers beside a row of b and an element of a.
constexpr int rowsPerBlock(int vectors) {
	const int fitting = (vectorRegisters - vectors - 1) / vectors / 2 * 2;
	return fitting < 8 ? fitting : 8;
}

// c [Rows, Vectors · W] (+)= a · b [depth, Vectors · W], where a is [Rows, depth] or, transposed, [depth, Rows].
template <int Rows, int Vectors, bool Transposed>
__attribute__((noinline)) static void multiplyBlock(
	const float* a,
	int64_t aStride,
	const float* b,
	int64_t bStride,
	int64_t depth,
	float* c,
	int64_t cStride,
	bool accumulate) {
	vf sums[Rows][Vectors];
	UNROLL for (int r = 0; r < Rows; r++) {
		UNROLL for (int j = 0; j < Vectors; j++) {
			sums[r][j] = accumulate ? load(c + r * cStride + j * W) : zero();
		}
	}
	for (int64_t k = 0; k < depth; k++) {
		vf factors[Vectors];
		UNROLL for (int j = 0; j < Vectors; j++) factors[j] = load(b + j * W);
		b += bStride;
		UNROLL for (int r = 0; r < Rows; r++) {
			const vf x = splat(Transposed ? a[r] : a[r * aStride]);
			UNROLL for (int j = 0; j < Vectors; j++) sums[r][j] = fma(x, factors[j], sums[r][j]);
		}
		a += Transposed ? aStride : 1;
	}
	UNROLL for (int r = 0; r < Rows; r++) {
		UNROLL for (int j = 0; j < Vectors; j++) store(c + r * cStride + j * W, sums[r][j]);
	}
}

// The same for any number of rows.
template <int Vectors, bool Transposed>
inline void multiply(
	int64_t rows,
	const float* a,
	int64_t aStride,
	const float* b,
	int64_t bStride,
	int64_t depth,
	float* c,
	int64_t cStride,
	bool accumulate) {
	const int64_t rowStep = Transposed ? 1 : aStride;
	int64_t row = 0;
	const auto take = [&](auto block, int count) {
		block(a + row * rowStep, aStride, b, bStride, depth, c + row * cStride, cStride, accumulate);
		row += count;
	};
	constexpr int most = rowsPerBlock(Vectors);
	while (rows - row >= most) take(multiplyBlock<most, Vectors, Transposed>, most);
	while (rows - row >= 2) take(multiplyBlock<2, Vectors, Transposed>, 2);
	if (rows - row >= 1) take(multiplyBlock<1, Vectors, Transposed>, 1);
}

// ── between rows of tokens and lanes ───────────────────────────────────────────────────────────────────────────

// target[d][lane] = factor · source[lane · stride + d] for d < headDim and a vector of lanes, of which those from `lanes`
// on are 0.
inline void rowsToLanes(
	float* target, int64_t targetStride, const float* source, int64_t stride, int lanes, int64_t headDim, float factor) {
	for (int64_t d = 0; d < headDim; d += W) {
		const int part = static_cast<int>(minimum<int64_t>(W, headDim - d));
		vf block[W];
		if (lanes == W && part == W) {
			UNROLL for (int lane = 0; lane < W; lane++) block[lane] = load(source + lane * stride + d);
		} else {
			for (int lane = 0; lane < W; lane++) {
				block[lane] = lane < lanes ? loadPartial(source + lane * stride + d, part) : zero();
			}
		}
		transpose(block);
		for (int i = 0; i < part; i++) store(target + (d + i) * targetStride, block[i] * splat(factor));
	}
}

// target[lane · stride + d] = factors[lane] · source[d][lane], the reverse.
inline void lanesToRows(
	float* target, int64_t stride, const float* source, int64_t sourceStride, int lanes, int64_t headDim, vf factors) {
	for (int64_t d = 0; d < headDim; d += W) {
		const int part = static_cast<int>(minimum<int64_t>(W, headDim - d));
		vf block[W];
		if (lanes == W && part == W) {
			UNROLL for (int i = 0; i < W; i++) block[i] = load(source + (d + i) * sourceStride) * factors;
			transpose(block);
			UNROLL for (int lane = 0; lane < W; lane++) store(target + lane * stride + d, block[lane]);
		} else {
			for (int i = 0; i < W; i++) block[i] = i < part ? load(source + (d + i) * sourceStride) * factors : zero();
			transpose(block);
			for (int lane = 0; lane < lanes; lane++) storePartial(target + lane * stride + d, block[lane], part);
		}
	}
}

inline vint laneNumbers() {
	vint lanes;
	for (int i = 0; i < W; i++) lanes[i] = i;
	return lanes;
}

// Sets the scores [keys, lanes] of keys that a lane's query doesn't see to -infinity; row 0 is key `firstKey`.
template <int Vectors>
inline void hideUnseenKeys(
	float* scores, const AttentionSizes& sizes, const QueryTile& tile, int64_t firstKey, int64_t keys) {
	const vint lane = laneNumbers();
	for (int64_t row = 0; row < keys; row++) {
		if (tile.allSee(sizes, firstKey + row, 1)) continue;
		UNROLL for (int j = 0; j < Vectors; j++) {
			float* at = scores + (row * Vectors + j) * W;
			const int64_t ahead = firstKey + row - tile.segment.prefixLength - tile.positions[j];
			const int32_t tooEarly = static_cast<int32_t>(ahead - sizes.reach());
			const int32_t tooLate = static_cast<int32_t>(ahead + sizes.window);
			const vint hidden = (lane <= tooEarly) | (lane >= tooLate);
			store(at, hidden ? splat(-__builtin_inff()) : load(at));
		}
	}
}

// ── segments ───────────────────────────────────────────────────────────────────────────────────────────────────

// The last index i < count with sums[i] ≤ value, for ascending sums that begin with 0.
inline int64_t lastAtMost(const int64_t* sums, int64_t count, int64_t value) {
	int64_t low = 0;
	int64_t high = count;
	while (high - low > 1) {
		const int64_t middle = (low + high) / 2;
		if (sums[middle] <= value) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return low;
}

}  // namespace vulntune::ISA
