// Gradients of attention within segments and to their prefixes. With P = exp(scale · q · kᵀ - logSumExp) made again tile by tile and
// delta = Σ_d dOut · out: dS = P · (dOut · vᵀ - delta), dQ = scale · dS · k, dK = scale · dSᵀ · q, dV = Pᵀ · dOut
// (Dao et al. 2022, appendix B.4).
//
// A family is a segment without a parent and its children: one stretch of rows, in which all its queries find their keys. A
// task is a chunk of a family's queries for one key/value head; it writes its rows of dQ and a partial sum of dK and dV of
// its own. Partial sums are then added in the order of the chunks. How a family is cut into chunks depends on its lengths
// alone.
#pragma once
#include "attentionTile.h"

namespace vulntune::ISA {

constexpr int64_t positionsPerChunk = 256;
constexpr int64_t largestChunks = 8;
// Partial sums held at a time, unless those of one item are more: 16 MiB.
constexpr int64_t partialSumFloats = int64_t{4} << 20;

// The rows [start, start + length) of the segments [firstSegment, endSegment).
struct Family {
	int64_t firstSegment;
	int64_t endSegment;
	int64_t start;
	int64_t length;
	int64_t chunks;
	// Blocks of W positions of a segment in each chunk but the last.
	int64_t blocksPerChunk;

	// The sums of a single chunk stay in the memory of the thread that makes them.
	bool isOneChunk() const { return chunks == 1; }
	int64_t chunkFloats(const AttentionSizes& sizes) const { return length * 2 * sizes.paddedDim(); }
	int64_t partialSumFloats(const AttentionSizes& sizes) const {
		return isOneChunk() ? 0 : chunks * chunkFloats(sizes);
	}
};

inline Family makeFamily(const Segments& segments, int64_t firstSegment) {
	Family family = {firstSegment, firstSegment + 1, segments.starts[firstSegment], 0, 0, 0};
	int64_t blocks = divideUp(segments.lengthOf(firstSegment), W);
	while (family.endSegment < segments.count && segments.hasParent(family.endSegment)) {
		blocks += divideUp(segments.lengthOf(family.endSegment), W);
		family.endSegment++;
	}
	family.length = segments.starts[family.endSegment] - family.start;
	if (family.length == 0) return family;
	family.blocksPerChunk = divideUp(blocks, minimum(largestChunks, divideUp(family.length, positionsPerChunk)));
	family.chunks = divideUp(blocks, family.blocksPerChunk);
	return family;
}

// One family and key/value head: its chunks are tasks in a row, its partial sums [chunks, length, 2, paddedDim].
struct BackwardItem {
	Family family;
	int64_t keyValueHead;
	float* partialSums;
	// The first rows of the family, of which a chunk's queries see some and none after them.
	int64_t rowsSeen[largestChunks];
};

// Calls body(segment, fromBlock, endBlock) for the segments that a chunk has blocks of queries of.
template <typename Body>
inline void forBlocksOfChunk(const Segments& segments, const Family& family, int64_t chunk, Body&& body) {
	// Counted from the start of a segment.
	int64_t from = chunk * family.blocksPerChunk;
	int64_t end = from + family.blocksPerChunk;
	for (int64_t s = family.firstSegment; s < family.endSegment && end > 0; s++) {
		const Segment segment = segments.at(s);
		const int64_t blocks = divideUp(segment.length, W);
		if (from < blocks) body(segment, maximum<int64_t>(0, from), minimum(end, blocks));
		from -= blocks;
		end -= blocks;
	}
}

inline BackwardItem makeItem(
	const Segments& segments, const Family& family, int64_t keyValueHead, bool causal, float* partialSums) {
	BackwardItem item = {family, keyValueHead, partialSums, {}};
	for (int64_t chunk = 0; chunk < family.chunks; chunk++) {
		item.rowsSeen[chunk] = causal ? 0 : family.length;
		forBlocksOfChunk(segments, family, chunk, [&](const Segment& segment, int64_t, int64_t endBlock) {
			const int64_t last = segment.start - family.start + minimum(segment.length, endBlock * W);
			item.rowsSeen[chunk] = maximum(item.rowsSeen[chunk], last);
		});
	}
	return item;
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

// logSumExp of a vector of lanes, as base-2 logarithms. Lanes without a query get weights of 0.
inline vf logSumExpOf(const AttentionSizes& sizes, const QueryTile& tile, int vector, const float* logSumExp) {
	float logs[W];
	const float* from = logSumExp + (tile.segment.start + tile.positions[vector]) * sizes.heads + tile.heads[vector];
	for (int lane = 0; lane < W; lane++) {
		logs[lane] = lane < tile.lanes(vector) ? from[lane * sizes.heads] * log2OfE : __builtin_inff();
	}
	return load(logs);
}

// A tile's rows of dq from its dQueries [headDim, lanes], which are not yet scaled.
template <int Vectors>
inline void writeQueryGradients(const AttentionSizes& sizes, const QueryTile& tile, float* dq, const float* dQueries) {
	for (int j = 0; j < Vectors; j++) {
		const int64_t firstRow = tile.segment.start + tile.positions[j];
		float* to = dq + firstRow * sizes.queryStride + tile.heads[j] * sizes.headDim;
		lanesToRows(
			to, sizes.queryStride, dQueries + j * W, Vectors * W, tile.lanes(j), sizes.headDim, splat(sizes.scale));
	}
}

// The pointers of keys and values point to the item's head; `partialSums` to the chunk's, its row 0 to that of the pack.
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
	const int64_t stride = sizes.keyStride;
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
		const int64_t firstRow = tile.segment.start + tile.positions[j];
		const int64_t offset = tile.heads[j] * headDim;
		const float* query = at.q + firstRow * sizes.queryStride + offset;
		const float* dOutput = at.dOut + firstRow * sizes.outputStride() + offset;
		const float* output = at.out + firstRow * sizes.outputStride() + offset;
		const int live = tile.lanes(j);
		rowsToLanes(queries + j * W, lanes, query, sizes.queryStride, live, headDim, sizes.scale * log2OfE);
		rowsToLanes(dOutputs + j * W, lanes, dOutput, sizes.outputStride(), live, headDim, 1.0f);
		copyRows(queryRows + j * W * padded, padded, query, sizes.queryStride, live, headDim, sizes.scale);
		copyRows(dOutputRows + j * W * padded, padded, dOutput, sizes.outputStride(), live, headDim, 1.0f);
		float* outputs = dQueries;
		rowsToLanes(outputs + j * W, lanes, output, sizes.outputStride(), live, headDim, 1.0f);
		delta[j] = deltaOf(dOutputs + j * W, outputs + j * W, lanes, headDim);
		logs[j] = logSumExpOf(sizes, tile, j, at.logSumExp);
	}
	const int64_t firstSeen = tile.firstSeen(sizes);
	const int64_t endSeen = tile.endSeen(sizes);
	for (int64_t first = firstSeen; first < endSeen; first += keysPerTile) {
		const int64_t keys = minimum(keysPerTile, endSeen - first);
		tile.forKeyRows(first, keys, [&](int64_t begin, int64_t count, int64_t row) {
			const int64_t to = begin * lanes;
			const float* k = at.k + row * stride;
			const float* v = at.v + row * stride;
			multiply<Vectors, false>(count, k, stride, queries, lanes, headDim, weights + to, lanes, false);
			multiply<Vectors, false>(count, v, stride, dOutputs, lanes, headDim, dScores + to, lanes, false);
		});
		if (!tile.allSee(sizes, first, keys)) hideUnseenKeys<Vectors>(weights, sizes, tile, first, keys);
		for (int64_t row = 0; row < keys; row++) {
			UNROLL for (int j = 0; j < Vectors; j++) {
				const int64_t i = row * lanes + j * W;
				const vf weight = exponential2(load(weights + i) - logs[j]);
				store(weights + i, weight);
				store(dScores + i, weight * (load(dScores + i) - delta[j]));
			}
		}
		tile.forKeyRows(first, keys, [&](int64_t begin, int64_t count, int64_t row) {
			const float* dScoresOfRun = dScores + begin * lanes;
			const float* weightsOfRun = weights + begin * lanes;
			const bool isLater = first + begin > firstSeen;
			multiply<Vectors, true>(
				headDim, at.k + row * stride, stride, dScoresOfRun, lanes, count, dQueries, lanes, isLater);
			float* sums = partialSums + row * 2 * padded;
			addProduct(count, dScoresOfRun, lanes, queryRows, padded, sums, 2 * padded);
			addProduct(count, weightsOfRun, lanes, dOutputRows, padded, sums + padded, 2 * padded);
		});
	}
	writeQueryGradients<Vectors>(sizes, tile, at.dq, dQueries);
}

// What differentiates a tile: of a chunk's queries, into the sums of its family, whose row 0 is that of the pack.
struct FloatTileBackward {
	// What a task holds while it runs.
	struct Held {};

	const AttentionSizes& sizes;
	BackwardPointers all;

	int64_t scratchFloats() const { return backwardScratch(sizes); }

	template <int Vectors>
	void differentiate(const QueryTile& tile, float* partialSums, float* scratch) const {
		BackwardPointers at = all;
		at.k += tile.keyValueHead * sizes.headDim;
		at.v += tile.keyValueHead * sizes.headDim;
		attendTileBackward<Vectors>(sizes, tile, at, partialSums, scratch);
	}
};

template <typename TileBackward>
inline void attendChunkBackward(
	const AttentionSizes& sizes,
	const Segments& segments,
	const BackwardItem& item,
	int64_t chunk,
	const TileBackward& tiles,
	float* scratch) {
	[[maybe_unused]] const typename TileBackward::Held held;
	const Family& family = item.family;
	const int64_t rowFloats = 2 * sizes.paddedDim();
	float* sums = item.partialSums + chunk * family.length * rowFloats;
	memset(sums, 0, item.rowsSeen[chunk] * rowFloats * sizeof(float));
	float* sumsOfPack = sums - family.start * rowFloats;
	forBlocksOfChunk(segments, family, chunk, [&](const Segment& segment, int64_t fromBlock, int64_t endBlock) {
		const int64_t end = endBlock * sizes.group();
		for (int64_t vector = fromBlock * sizes.group(); vector < end; vector += sizes.vectorsPerTile()) {
			const QueryTile tile = makeTile(sizes, segment, item.keyValueHead, vector, end);
			withVectors(tile, [&]<int Vectors>() {
				tiles.template differentiate<Vectors>(tile, sumsOfPack, scratch);
			});
		}
	});
}

// dK and dV of the rows [begin, end) of an item's family: the partial sums of the chunks that saw them, in order.
inline void addPartialSums(
	const AttentionSizes& sizes, const BackwardItem& item, int64_t begin, int64_t end, float* dk, float* dv) {
	const int64_t padded = sizes.paddedDim();
	const Family& family = item.family;
	for (int64_t key = begin; key < end; key++) {
		const int64_t to = (family.start + key) * sizes.keyStride + item.keyValueHead * sizes.headDim;
		int64_t firstChunk = 0;
		while (item.rowsSeen[firstChunk] <= key) firstChunk++;
		forVectors(0, sizes.headDim, [&](int64_t d, auto n) {
			vf sumK = zero();
			vf sumV = zero();
			for (int64_t chunk = firstChunk; chunk < family.chunks; chunk++) {
				const float* row = item.partialSums + (chunk * family.length + key) * 2 * padded;
				sumK = sumK + load(row + d);
				sumV = sumV + load(row + padded + d);
			}
			store(dk + to + d, sumK, n);
			store(dv + to + d, sumV, n);
		});
	}
}

// Runs the items of one wave: chunks, then sums. Each thread's memory begins with `localSumFloats` for the sums of an item
// of one chunk.
template <typename TileBackward>
inline void runWave(
	Pool& pool,
	const AttentionSizes& sizes,
	const Segments& segments,
	const BackwardPointers& all,
	const TileBackward& tiles,
	const BackwardItem* items,
	int64_t count,
	int64_t localSumFloats) {
	// Items and their chunks are few, so a task finds its own by walking.
	const auto rowBlocksOf = [](const BackwardItem& item) {
		return item.family.isOneChunk() ? 0 : divideUp(item.family.length, positionsPerChunk);
	};
	int64_t chunks = 0;
	int64_t rowBlocks = 0;
	for (int64_t i = 0; i < count; i++) {
		chunks += items[i].family.chunks;
		rowBlocks += rowBlocksOf(items[i]);
	}
	pool.run(chunks, [&](int64_t task, int thread) {
		int64_t chunk = task;
		const BackwardItem* item = items;
		for (; chunk >= item->family.chunks; item++) chunk -= item->family.chunks;
		// The last chunks of causal attention are the longest, so they come first; so do the longest functions of most packs.
		const int64_t fromLast = item->family.chunks - 1 - chunk;
		float* local = static_cast<float*>(pool.local(thread));
		float* scratch = local + localSumFloats;
		if (!item->family.isOneChunk()) {
			attendChunkBackward(sizes, segments, *item, fromLast, tiles, scratch);
			return;
		}
		BackwardItem own = *item;
		own.partialSums = local;
		attendChunkBackward(sizes, segments, own, fromLast, tiles, scratch);
		addPartialSums(sizes, own, 0, own.family.length, all.dk, all.dv);
	});
	pool.run(rowBlocks, [&](int64_t task, int) {
		int64_t block = task;
		const BackwardItem* item = items;
		for (; block >= rowBlocksOf(*item); item++) block -= rowBlocksOf(*item);
		const int64_t end = minimum(item->family.length, (block + 1) * positionsPerChunk);
		addPartialSums(sizes, *item, block * positionsPerChunk, end, all.dk, all.dv);
	});
}

// `tiles`: of a type like FloatTileBackward.
template <typename TileBackward>
inline void differentiateAttention(
	Pool& pool, const AttentionSizes& sizes, const Segments& segments, const BackwardPointers& all,
	const TileBackward& tiles) {
	const auto forFamilies = [&](auto&& body) {
		for (int64_t s = 0; s < segments.count;) {
			const Family family = makeFamily(segments, s);
			if (family.length > 0) body(family);
			s = family.endSegment;
		}
	};
	int64_t items = 0;
	int64_t wanted = 0;
	int64_t largestItem = 0;
	int64_t localSumFloats = 0;
	forFamilies([&](const Family& family) {
		items += sizes.keyValueHeads;
		wanted += family.partialSumFloats(sizes) * sizes.keyValueHeads;
		largestItem = maximum(largestItem, family.partialSumFloats(sizes));
		if (family.isOneChunk()) localSumFloats = maximum(localSumFloats, family.chunkFloats(sizes));
	});
	const int64_t room = maximum(largestItem, minimum(wanted, partialSumFloats));
	pool.reserve(
		room * sizeof(float) + items * sizeof(BackwardItem),
		(localSumFloats + tiles.scratchFloats()) * sizeof(float));
	float* partialSums = static_cast<float*>(pool.shared());
	auto* wave = reinterpret_cast<BackwardItem*>(partialSums + room);
	int64_t used = 0;
	int64_t inWave = 0;
	forFamilies([&](const Family& family) {
		for (int64_t keyValueHead = 0; keyValueHead < sizes.keyValueHeads; keyValueHead++) {
			if (used + family.partialSumFloats(sizes) > room) {
				runWave(pool, sizes, segments, all, tiles, wave, inWave, localSumFloats);
				used = 0;
				inWave = 0;
			}
			wave[inWave++] = makeItem(segments, family, keyValueHead, sizes.causal, partialSums + used);
			used += family.partialSumFloats(sizes);
		}
	});
	runWave(pool, sizes, segments, all, tiles, wave, inWave, localSumFloats);
}

}  // namespace vulntune::ISA
