// Which tokens of a pack see which: segments, and the prefix that a segment shares with its siblings.
#pragma once
#include "../language.cuh"

struct Segments {
	const int* starts;
	/** nullptr where no segment has a parent. */
	const int* parents;
	int count;
};

/** A segment's tokens [from, to), and those of its parent that they see before their own. */
struct Stretch {
	int from, to, parentFrom, parentLength;
	/** Tokens of the parent and its own. */
	__device__ __forceinline__ int length() const { return parentLength + to - from; }
	/** The i-th token of these. */
	__device__ __forceinline__ int token(int i) const { return i < parentLength ? parentFrom + i : from + i - parentLength; }
	/** Which of these an own token is. */
	__device__ __forceinline__ int placeOf(int token) const { return parentLength + token - from; }
};

static __device__ __forceinline__ Stretch stretchOf(const Segments& segments, int segment) {
	const int parent = segments.parents == nullptr ? -1 : segments.parents[segment];
	return {segments.starts[segment], segments.starts[segment + 1], parent < 0 ? 0 : segments.starts[parent],
			parent < 0 ? 0 : segments.starts[parent + 1] - segments.starts[parent]};
}

/** The places [first, first + count) along a stretch, in one comparison and few registers; `first` may be negative. */
struct Places {
	int first;
	Word count;
	__device__ __forceinline__ bool have(int place) const { return static_cast<Word>(place - first) < count; }
};

/** Which tokens a token sees, by places along a stretch: no later one if causal, and none at this distance or further. */
struct Sight {
	int causal, window;
	/** Places from a token's own on that it sees. */
	__device__ __forceinline__ int reach() const { return causal ? 1 : window; }
	__device__ __forceinline__ int first(int place) const { return max(0, place - window + 1); }
	__device__ __forceinline__ int end(int place, int length) const { return min(place + reach(), length); }
	__device__ __forceinline__ Places seenFrom(int place, int length) const {
		return {place - window + 1, static_cast<Word>(end(place, length) - place + window - 1)};
	}
	/** The places of those that see this one, wherever their stretch ends. */
	__device__ __forceinline__ Places seeing(int place) const {
		return {place - reach() + 1, static_cast<Word>(reach() - 1 + window)};
	}
};

/** A tile of a segment's own tokens; without one where `segment` is −1. Tiles begin at a segment's start. */
struct TokenTile {
	int segment, first;
};
static __device__ __forceinline__ TokenTile tokenTile(const Segments& segments, int index, int size) {
	for (int s = 0; s < segments.count; s++) {
		const int tiles = (segments.starts[s + 1] - segments.starts[s] + size - 1) / size;
		if (index < tiles) return {s, segments.starts[s] + index * size};
		index -= tiles;
	}
	return {-1, 0};
}

/** The queries [from, to) of a segment, of which some see a key of a tile and none around them does. */
struct QueryRange {
	int from, to;
	/** What a query's distance to a key of the tile is more than their tokens' difference: other children lie between. */
	int between;
};
static __device__ __forceinline__ QueryRange queriesOf(const Segments& segments, int segment, const TokenTile& tile, int rows, int step,
													   const Sight& sight) {
	const bool own = segment == tile.segment;
	const int start = segments.starts[segment], between = own ? 0 : segments.starts[tile.segment + 1] - start;
	const int reached = start + max(0, tile.first - sight.window + 1 - start) / step * step;
	return {!own ? start : sight.causal ? tile.first : reached, min(segments.starts[segment + 1], tile.first + rows - 1 - between + sight.window), between};
}

/** Key/value head of a query head, and the first query head of a key/value head. */
static __device__ __forceinline__ int keyHeadOf(int head, int heads, int keyHeads) { return head * keyHeads / heads; }
static __device__ __forceinline__ int firstQueryHead(int keyHead, int heads, int keyHeads) {
	return (keyHead * heads + keyHeads - 1) / keyHeads;
}
