// Gradients of attention within segments. With P = exp(scale · q · kᵀ - logSumExp) made again tile by tile and
// delta = Σ_d dOut · out: dS = P · (dOut · vᵀ - delta), dQ = scale · dS · k, dK = scale · dSᵀ · q, dV = Pᵀ · dOut
// (Dao et al. 2022, appendix B.4).
//
// A task is a chunk of a segment's queries for one key/value head; it writes its rows of dQ and a partial sum of dK and
// dV of its own. Partial sums are then added in the order of the chunks. How a segment is cut into chunks depends on
// its length alone.
#pragma once
#include "attentionTile.h"

namespace vulntune::ISA {

// One segment and key/value head: its chunks are tasks in a row, its partial sums [chunks, length, 2, paddedDim].
struct BackwardItem {
	int64_t start;
	int64_t length;
	int64_t keyValueHead;
	int64_t chunks;
	float* partialSums;
};

constexpr int64_t positionsPerChunk = 256;
constexpr int64_t largestChunks = 8;
// Partial sums held at a time, unless those of one item are more: 16 MiB.
constexpr int64_t partialSumFloats = int64_t{4} << 20;

inline int64_t chunksOf(int64_t length) { return minimum(largestChunks, divideUp(length, positionsPerChunk)); }

// Blocks of W positions in each chunk of a segment but the last.
inline int64_t blocksPerChunk(int64_t length) { return divideUp(divideUp(length, W), chunksOf(length)); }

// Keys that the queries of a chunk see.
inline int64_t keysOfChunk(int64_t length, int64_t chunk, bool causal) {
	return causal ? minimum(length, (chunk + 1) * blocksPerChunk(length) * W) : length;
}

inline int64_t backwardScratch(const AttentionSizes& sizes) {
	return (3 * sizes.headDim + 2 * sizes.paddedDim() + 2 * keysPerTile) * sizes.lanesPerTile();
}

struct BackwardPointers {
	float* dq;
	float* dk;
	float* dv;
	const float* q;
	const float* k;
	const float* v;
	const float* out;
	const float* logSumExp;
	const float* dOut;
};

// target [lanes, paddedDim] = factor · rows of `source`, with zeros around them.
inline void copyRows(
	float* target, int64_t padded, const float* source, int64_t stride, int lanes, int64_t headDim, float factor) {
	for (int lane = 0; lane < W; lane++) {
		float* to = target + lane * padded;
		const float* from = source + lane * stride;
		if (lane >= lanes) {
			memset(to, 0, padded * sizeof(float));
			continue;
		}
		forVectors(0, headDim, [=](int64_t d, auto n) {
			store(to + d, load(from + d, n) * splat(factor));
		});
	}
}

// delta = Σ_d dOut · out for a vector of lanes, added up in the order of `multiply`: where a query sees one key only, out is
// v, and its dS comes out as exactly 0.
inline vf deltaOf(const float* dOutputs, const float* outputs, int64_t lanes, int64_t headDim) {
	vf delta = zero();
	for (int64_t d = 0; d < headDim; d++) delta = fma(load(outputs + d * lanes), load(dOutputs + d * lanes), delta);
	return delta;
}

// Columns that one pass of `multiply` takes of those that are left, in vectors: as many as registers allow, and not
// such that a single one is left over.
constexpr int64_t columnVectors(int64_t left) {
	if (vectorRegisters == 32 && left >= 4 && left != 5) return 4;
	if (left >= 3 && left != 4) return 3;
	return left >= 2 ? 2 : 1;
}

// sums [rows, paddedDim] += a [rows, lanes] · b [lanes, paddedDim].
inline void addProduct(
	int64_t rows, const float* a, int64_t lanes, const float* b, int64_t padded, float* sums, int64_t sumStride) {
	for (int64_t d = 0; d < padded;) {
		const int64_t vectors = columnVectors((padded - d) / W);
		if (vectors == 1) multiply<1, false>(rows, a, lanes, b + d, padded, lanes, sums + d, sumStride, true);
		if (vectors == 2) multiply<2, false>(rows, a, lanes, b + d, padded, lanes, sums + d, sumStride, true);
		if (vectors == 3) multiply<3, false>(rows, a, lanes, b + d, padded, lanes, sums + d, sumStride, true);
		if (vectors == 4) multiply<4, false>(rows, a, lanes, b + d, padded, lanes, sums + d, sumStride, true);
		d += vectors * W;
	}
}

// The pointers point to the item's segment, those of keys and values also to its head; `partialSums` to the chunk's.
template <int Vectors>
inline void attendTileBackward(
	const AttentionSizes& sizes,
	const QueryTile& tile,
	const BackwardPointers& at,
	float* partialSums,
	float* scratch) {
	constexpr int64_t lanes = Vectors * W;
	const int64_t headDim = sizes.headDim;
	const int64_t padded = sizes.paddedDim();
	const int64_t stride = sizes.keyStride();
	float* queries = scratch;                        // [headDim, lanes], times scale · log2 e
	float* dOutputs = queries + headDim * lanes;     // [headDim, lanes]
	float* dQueries = dOutputs + headDim * lanes;    // [headDim, lanes], not yet scaled; out at first
	float* queryRows = dQueries + headDim * lanes;   // [lanes, padded], times scale
	float* dOutputRows = queryRows + padded * lanes; // [lanes, padded]
	float* weights = dOutputRows + padded * lanes;   // [keysPerTile, lanes]
	float* dScores = weights + keysPerTile * lanes;  // [keysPerTile, lanes]
	vf delta[Vectors];
	vf logs[Vectors];
	for (int j = 0; j < Vectors; j++) {
		const int64_t offset = tile.positions[j] * sizes.queryStride() + tile.heads[j] * headDim;
		const int64_t rowStride = sizes.queryStride();
		const int live = tile.lanes(j);
		rowsToLanes(queries + j * W, lanes, at.q + offset, rowStride, live, headDim, sizes.scale * log2OfE);
		rowsToLanes(dOutputs + j * W, lanes, at.dOut + offset, rowStride, live, headDim, 1.0f);
		copyRows(queryRows + j * W * padded, padded, at.q + offset, rowStride, live, headDim, sizes.scale);
		copyRows(dOutputRows + j * W * padded, padded, at.dOut + offset, rowStride, live, headDim, 1.0f);
		float* outputs = dQueries;
		rowsToLanes(outputs + j * W, lanes, at.out + offset, rowStride, live, headDim, 1.0f);
		delta[j] = deltaOf(dOutputs + j * W, outputs + j * W, lanes, headDim);
		// Lanes without a query get weights of 0.
		float logSumExp[W];
		for (int lane = 0; lane < W; lane++) {
			logSumExp[lane] = lane < live
				? at.logSumExp[(tile.positions[j] + lane) * sizes.heads + tile.heads[j]] * log2OfE
				: __builtin_inff();
		}
		logs[j] = load(logSumExp);
	}
	const int64_t keysSeen = tile.keysSeen(sizes.causal);
	for (int64_t first = 0; first < keysSeen; first += keysPerTile) {
		const int64_t keys = minimum(keysPerTile, keysSeen - first);
		const float* k = at.k + first * stride;
		const float* v = at.v + first * stride;
		multiply<Vectors, false>(keys, k, stride, queries, lanes, headDim, weights, lanes, false);
		if (first + keys > tile.keysSeenByAll(sizes.causal)) hideLaterKeys<Vectors>(weights, tile, first, keys);
		multiply<Vectors, false>(keys, v, stride, dOutputs, lanes, headDim, dScores, lanes, false);
		for (int64_t row = 0; row < keys; row++) {
			UNROLL for (int j = 0; j < Vectors; j++) {
				const int64_t i = row * lanes + j * W;
				const vf weight = exponential2(load(weights + i) - logs[j]);
				store(weights + i, weight);
				store(dScores + i, weight * (load(dScores + i) - delta[j]));
			}
		}
		multiply<Vectors, true>(headDim, k, stride, dScores, lanes, keys, dQueries, lanes, first > 0);
		float* sums = partialSums + first * 2 * padded;
		addProduct(keys, dScores, lanes, queryRows, padded, sums, 2 * padded);
		addProduct(keys, weights, lanes, dOutputRows, padded, sums + padded, 2 * padded);
	}
	for (int j = 0; j < Vectors; j++) {
		float* to = at.dq + tile.positions[j] * sizes.queryStride() + tile.heads[j] * headDim;
		lanesToRows(
			to, sizes.queryStride(), dQueries + j * W, lanes, tile.lanes(j), headDim, splat(sizes.scale));
	}
}

inline void attendChunkBackward(
	const AttentionSizes& sizes,
	const BackwardItem& item,
	int64_t chunk,
	const BackwardPointers& all,
	float* scratch) {
	const int64_t queryOffset = item.start * sizes.queryStride();
	const int64_t keyOffset = item.start * sizes.keyStride() + item.keyValueHead * sizes.headDim;
	const BackwardPointers at = {
		all.dq + queryOffset,
		all.dk + keyOffset,
		all.dv + keyOffset,
		all.q + queryOffset,
		all.k + keyOffset,
		all.v + keyOffset,
		all.out + queryOffset,
		all.logSumExp + item.start * sizes.heads,
		all.dOut + queryOffset,
	};
	const int64_t rowFloats = 2 * sizes.paddedDim();
	float* sums = item.partialSums + chunk * item.length * rowFloats;
	memset(sums, 0, keysOfChunk(item.length, chunk, sizes.causal) * rowFloats * sizeof(float));
	const int64_t step = blocksPerChunk(item.length) * sizes.group();
	const int64_t end = minimum((chunk + 1) * step, sizes.queryVectors(item.length));
	for (int64_t vector = chunk * step; vector < end; vector += sizes.vectorsPerTile()) {
		const QueryTile tile = makeTile(sizes, item.length, item.keyValueHead, vector, end);
		if (tile.vectors == 1) attendTileBackward<1>(sizes, tile, at, sums, scratch);
		if (tile.vectors == 2) attendTileBackward<2>(sizes, tile, at, sums, scratch);
		if (tile.vectors == 3) attendTileBackward<3>(sizes, tile, at, sums, scratch);
	}
}

// dK and dV of the keys [begin, end) of an item: the partial sums of the chunks that saw them, in order.
inline void addPartialSums(
	const AttentionSizes& sizes, const BackwardItem& item, int64_t begin, int64_t end, float* dk, float* dv) {
	const int64_t padded = sizes.paddedDim();
	for (int64_t key = begin; key < end; key++) {
		const int64_t to = (item.start + key) * sizes.keyStride() + item.keyValueHead * sizes.headDim;
		int64_t firstChunk = 0;
		while (keysOfChunk(item.length, firstChunk, sizes.causal) <= key) firstChunk++;
		forVectors(0, sizes.headDim, [&](int64_t d, auto n) {
			vf sumK = zero();
			vf sumV = zero();
			for (int64_t chunk = firstChunk; chunk < item.chunks; chunk++) {
				const float* row = item.partialSums + (chunk * item.length + key) * 2 * padded;
				sumK = sumK + load(row + d);
				sumV = sumV + load(row + padded + d);
			}
			store(dk + to + d, sumK, n);
			store(dv + to + d, sumV, n);
		});
	}
}

// Runs the items of one wave: chunks, then sums.
inline void runWave(
	Pool& pool, const AttentionSizes& sizes, const BackwardPointers& all, const BackwardItem* items, int64_t count) {
	// Items and their chunks are few, so a task finds its own by walking.
	int64_t chunks = 0;
	int64_t rowBlocks = 0;
	for (int64_t i = 0; i < count; i++) {
		chunks += items[i].chunks;
		rowBlocks += divideUp(items[i].length, positionsPerChunk);
	}
	pool.run(chunks, [&](int64_t task, int thread) {
		// The last chunks of causal attention are the longest, so they come first.
		int64_t chunk = chunks - 1 - task;
		const BackwardItem* item = items;
		for (; chunk >= item->chunks; item++) chunk -= item->chunks;
		attendChunkBackward(sizes, *item, chunk, all, static_cast<float*>(pool.local(thread)));
	});
	pool.run(rowBlocks, [&](int64_t task, int) {
		int64_t block = task;
		const BackwardItem* item = items;
		for (; block >= divideUp(item->length, positionsPerChunk); item++) {
			block -= divideUp(item->length, positionsPerChunk);
		}
		const int64_t end = minimum(item->length, (block + 1) * positionsPerChunk);
		addPartialSums(sizes, *item, block * positionsPerChunk, end, all.dk, all.dv);
	});
}

static void attentionBackward(
	Pool& pool,
	float* dq,
	float* dk,
	float* dv,
	const float* q,
	const float* k,
	const float* v,
	const float* out,
	const float* logSumExp,
	const float* dOut,
	const int32_t* segmentStarts,
	int64_t segments,
	int64_t heads,
	int64_t keyValueHeads,
	int64_t headDim,
	bool causal,
	float scale) {
	const AttentionSizes sizes = {heads, keyValueHeads, headDim, causal, scale};
	const BackwardPointers all = {dq, dk, dv, q, k, v, out, logSumExp, dOut};
	const auto lengthOf = [&](int64_t s) { return int64_t{segmentStarts[s + 1]} - segmentStarts[s]; };
	const auto floatsOf = [&](int64_t s) { return chunksOf(lengthOf(s)) * lengthOf(s) * 2 * sizes.paddedDim(); };
	int64_t wanted = 0;
	int64_t largestItem = 0;
	for (int64_t s = 0; s < segments; s++) {
		wanted += floatsOf(s) * keyValueHeads;
		largestItem = maximum(largestItem, floatsOf(s));
	}
	const int64_t room = maximum(largestItem, minimum(wanted, partialSumFloats));
	const int64_t items = segments * keyValueHeads;
	pool.reserve(room * sizeof(float) + items * sizeof(BackwardItem), backwardScratch(sizes) * sizeof(float));
	float* partialSums = static_cast<float*>(pool.shared());
	auto* wave = reinterpret_cast<BackwardItem*>(partialSums + room);
	int64_t used = 0;
	int64_t count = 0;
	for (int64_t index = 0; index < items; index++) {
		const int64_t s = index / keyValueHeads;
		if (lengthOf(s) == 0) continue;
		if (used + floatsOf(s) > room) {
			runWave(pool, sizes, all, wave, count);
			used = 0;
			count = 0;
		}
		wave[count++] = {
			segmentStarts[s], lengthOf(s), index % keyValueHeads, chunksOf(lengthOf(s)), partialSums + used};
		used += floatsOf(s);
	}
	runWave(pool, sizes, all, wave, count);
}

}  // namespace vulntune::ISA
