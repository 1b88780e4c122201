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
};

static __device__ __forceinline__ Stretch stretchOf(const Segments& segments, int segment) {
	const int parent = segments.parents == nullptr ? -1 : segments.parents[segment];
	return {segments.starts[segment], segments.starts[segment + 1], parent < 0 ? 0 : segments.starts[parent],
			parent < 0 ? 0 : segments.starts[parent + 1] - segments.starts[parent]};
}

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

/** Key/value head of a query head, and the first query head of a key/value head. */
static __device__ __forceinline__ int keyHeadOf(int head, int heads, int keyHeads) { return head * keyHeads / heads; }
static __device__ __forceinline__ int firstQueryHead(int keyHead, int heads, int keyHeads) {
	return (keyHead * heads + keyHeads - 1) / keyHeads;
}
