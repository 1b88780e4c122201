// Attention over segments on tensor cores: operands of 16 bits, float32 sums and softmax, tiles as in FlashAttention 2 (Dao 2023). What a
// row sees and in which order is as in attention.cuh, so a row's result depends on the tokens that it sees alone.
//
// Each warp holds 16 rows of a block's and walks with the others over tiles of the other side in shared memory. Rows of a head have `size`
// dimensions and begin at multiples of 16 bytes. `In` says what differs between the types that tensor cores take (flashBfloat16.cuh, flashFloat16.cuh):
// how many rows a block has and walks over (`Plan`), how tiles come to shared memory (`bring`, `Walk`), and what sums and weights are
// multiplied by so that the type holds them (`Units`).
#pragma once
#include "element.cuh"
#include "reduce.cuh"
#include "segments.cuh"
#include "tensorCore.cuh"

#if defined(BFLOAT16_TENSOR_CORES) || defined(FLOAT16_TENSOR_CORES)
constexpr float log2OfE = 1.4426950408889634f;

/** Rows of a head in shared memory. */
template <int size>
struct HeadTile {
	static constexpr int chunks = size / 8;

	/** Calls each(i, row, chunk) for those of a tile's chunks that this thread brings. */
	template <int rows, int threads, class Each>
	static __device__ __forceinline__ void forChunks(Each each) {
#pragma unroll
		for (int i = 0; i < rows * chunks / threads; i++) {
			const int at = i * threads + threadIdx.x;
			each(i, at / chunks, at % chunks);
		}
	}
	/** Where a row's 16 bytes lie: turned within groups of eight, or of as many as a row has a power of two of. */
	static __device__ __forceinline__ int place(int row, int chunk) { return row * chunks + (chunk ^ turnOf(row)); }
	/** Fragment of a left operand [16 rows, 16 dimensions]. */
	static __device__ __forceinline__ void loadLeft(Word (&fragment)[4], SharedAddress tile, int row, int dimension) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8;
		loadMatrices(fragment, tile + placeBytes(row + lane % 8 + 8 * (matrix % 2), matrix / 2, 0, dimension / 8), false);
	}
	/** Two right operands of 8 rows each, summed over 16 dimensions: for products with the tile's transpose. */
	static __device__ __forceinline__ void loadRight(Word (&fragment)[4], SharedAddress tile, int row, int dimension) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8;
		loadMatrices(fragment, tile + placeBytes(lane % 8 + 8 * (matrix / 2), matrix % 2, row, dimension / 8), false);
	}
	/** Two right operands of 8 dimensions each, summed over 16 rows: for products with the tile itself. */
	static __device__ __forceinline__ void loadRightByRow(Word (&fragment)[4], SharedAddress tile, int row, int dimension) {
		const int lane = threadIdx.x % warpSize32, matrix = lane / 8;
		loadMatrices(fragment, tile + placeBytes(lane % 8 + 8 * (matrix % 2), matrix / 2, row, dimension / 8), true);
	}

private:
	static constexpr int turn = chunks % 8 == 0 ? 7 : chunks % 4 == 0 ? 3 : 1;
	static __device__ __forceinline__ int turnOf(int row) { return row / (chunks % 8 == 0 ? 1 : chunks % 4 == 0 ? 2 : 4) & turn; }
	/** The place so many rows, a multiple of 8, and chunks, an even number, after another: of numbers known beforehand next to nothing is computed. */
	static __device__ __forceinline__ int placeBytes(int row, int chunk, int rowsAfter, int chunksAfter) {
		return 16 * (row * chunks + (chunk ^ turnOf(row) ^ (chunksAfter & turn))) + 16 * (rowsAfter * chunks + (chunksAfter & ~turn));
	}
};

/** Where heads are read, and elements from one token's to the next one's: they may be columns of a wider matrix, or copies. */
struct Heads {
	const Half* data;
	int stride, count;
	/** What a head of a token was divided by, where it was: [tokens, count]. */
	const float* scales;

	__device__ __forceinline__ const Half* at(int token, int head, int size) const {
		return data + static_cast<Count>(token) * stride + head * size;
	}
	__device__ __forceinline__ float scale(int token, int head) const { return scales[static_cast<Count>(token) * count + head]; }
};
struct FlashOperands {
	Heads q, k, v, dOut;
};

/** 16 rows of a warp as left operands, `size` dimensions of them. */
template <int size>
struct LeftRows {
	Word fragments[size / 16][4];

	/** From dimension `first` on of a tile of heads of `whole` dimensions. */
	template <int whole>
	__device__ __forceinline__ void load(SharedAddress tile, int row, int first) {
#pragma unroll
		for (int d = 0; d < size / 16; d++) HeadTile<whole>::loadLeft(fragments[d], tile, row, first + 16 * d);
	}
	/** From where heads lie: this thread's row and the eighth after it; nullptr for zeros. */
	__device__ __forceinline__ void read(const Half* row, const Half* eighthAfter) {
		const Half* const rows[2] = {row, eighthAfter};
#pragma unroll
		for (int d = 0; d < size / 16; d++) {
#pragma unroll
			for (int i = 0; i < 4; i++) {
				const Half* const from = rows[i % 2];
				fragments[d][i] = from == nullptr ? 0 : *reinterpret_cast<const Word*>(from + 16 * d + 8 * (i / 2) + threadIdx.x % 4 * 2);
			}
		}
	}
};

/** scores [16, walked] of a warp += some of its rows' dimensions · the transpose of the same of `right`, from `first` on. */
template <class In, int size, int walked, int part>
static __device__ __forceinline__ void addRowProducts(float (&scores)[walked / 8][4], const LeftRows<part>& left, SharedAddress right, int first) {
#pragma unroll
	for (int d = 0; d < part / 16; d++) {
#pragma unroll
		for (int j = 0; j < walked / 16; j++) {
			Word b[4];
			HeadTile<size>::loadRight(b, right, 16 * j, first + 16 * d);
			In::multiply(scores[2 * j], left.fragments[d], b[0], b[1]);
			In::multiply(scores[2 * j + 1], left.fragments[d], b[2], b[3]);
		}
	}
}

/** A warp's own 16 rows of a block's, which stay while tiles are walked over: in registers where these suffice, else in shared memory. */
template <class In, int size, int rows, bool inRegisters>
struct OwnRows {
	static constexpr int halves = rows * size;
	SharedAddress tile;

	/** Rows [first, end) of a head, zeros after them. */
	__device__ __forceinline__ void bring(Half* target, const Heads& heads, int head, int first, int end) {
		tile = sharedAddress(target);
		In::template bring<size, rows>(target, heads, head, [&](int i) { return first + i < end ? first + i : -1; });
	}
	/** scores [16, walked] = the rows · the transpose of `right`. */
	template <int walked>
	__device__ __forceinline__ void multiply(float (&scores)[walked / 8][4], SharedAddress right) const {
		constexpr int most = In::template Plan<size>::mostDimensions, part = size < most ? size : most;
#pragma unroll
		for (int i = 0; i < walked / 2; i++) scores[i / 4][i % 4] = 0.0f;
#pragma unroll
		for (int first = 0; first < size; first += part) {
			LeftRows<part> left;
			left.template load<size>(tile, threadIdx.x / warpSize32 * 16, first);
			addRowProducts<In, size, walked>(scores, left, right, first);
		}
	}
};
template <class In, int size, int rows>
struct OwnRows<In, size, rows, true> {
	static constexpr int halves = 0;
	LeftRows<size> left;

	__device__ __forceinline__ void bring(Half*, const Heads& heads, int head, int first, int end) {
		const int token = first + threadIdx.x / warpSize32 * 16 + threadIdx.x % warpSize32 / 4;
		left.read(token < end ? heads.at(token, head, size) : nullptr, token + 8 < end ? heads.at(token + 8, head, size) : nullptr);
	}
	template <int walked>
	__device__ __forceinline__ void multiply(float (&scores)[walked / 8][4], SharedAddress right) const {
#pragma unroll
		for (int i = 0; i < walked / 2; i++) scores[i / 4][i % 4] = 0.0f;
		addRowProducts<In, size, walked>(scores, left, right, 0);
	}
};

/** Over the four threads that hold a row of a fragment. */
template <float (*combine)(float, float)>
static __device__ __forceinline__ float overQuad(float value) {
	return overWarp<combine, 4>(value);
}

/** What sums so far and new weights are multiplied by. */
struct Factors {
	float sums, weights;
};

/** [16, columns] of a warp: sums over rows of tiles, weighted as the scores lie in the registers. */
template <class In, int columns>
struct WeightedRows {
	float sums[columns / 8][4] = {};
	typename In::Units units[2];

	/** The sums so far, of a thread's two rows, × shrink; then + weights [16, walked] · columns of the tile [walked, size] from `first` on. */
	template <int size, int walked>
	__device__ __forceinline__ void add(const float (&shrink)[2], const float (&weights)[walked / 8][4], SharedAddress tile, int first) {
		const Factors factors[2] = {units[0].template next<walked>(weights, 0, shrink[0]), units[1].template next<walked>(weights, 1, shrink[1])};
#pragma unroll
		for (int d = 0; d < columns / 8; d++) {
#pragma unroll
			for (int i = 0; i < 4; i++) sums[d][i] *= factors[i / 2].sums;
		}
#pragma unroll
		for (int k = 0; k < walked / 16; k++) {
			Word a[4];
#pragma unroll
			for (int i = 0; i < 4; i++) {
				const float* const two = weights[2 * k + i / 2] + 2 * (i % 2);
				a[i] = In::pair(two[0] * factors[i % 2].weights, two[1] * factors[i % 2].weights);
			}
#pragma unroll
			for (int d = 0; d < columns / 16; d++) {
				Word b[4];
				HeadTile<size>::loadRightByRow(b, tile, 16 * k, first + 16 * d);
				In::multiply(sums[2 * d], a, b[0], b[1]);
				In::multiply(sums[2 * d + 1], a, b[2], b[3]);
			}
		}
	}
	/** Writes factor × one of a thread's two rows, as far as a head of `headDim` dimensions has these columns. */
	__device__ __forceinline__ void store(Bfloat16* row, int half, float factor, int headDim) const {
		const bool inPairs = storesPairs(row, headDim);
		const float whole = factor * units[half].scale();
#pragma unroll
		for (int d = 0; d < columns / 8; d++) {
			storeTwo(row, 8 * d + threadIdx.x % 4 * 2, headDim, whole * sums[d][2 * half], whole * sums[d][2 * half + 1], 0, inPairs);
		}
	}
};

template <class In, int size>
static __device__ __forceinline__ void flashForward(Bfloat16* out, float* logSumExp, const FlashOperands& operands, const Segments& segments,
													int heads, int keyHeads, int headDim, const Sight& sight, float scale) {
	using Plan = typename In::template Plan<size>;
	constexpr int rows = Plan::rows, walked = Plan::walkedKeys;
	using Queries = OwnRows<In, size, rows, Plan::queriesInRegisters>;
	DYNAMIC_SHARED(shared);
	Half* const queryTile = reinterpret_cast<Half*>(shared);
	const TokenTile tile = tokenTile(segments, gridDim.x - 1 - blockIdx.x, rows);
	if (tile.segment < 0) return;
	const Stretch stretch = stretchOf(segments, tile.segment);
	const int head = blockIdx.y, keyHead = keyHeadOf(head, heads, keyHeads);
	const int warpRow = threadIdx.x / warpSize32 * 16, lane = threadIdx.x % warpSize32;
	const int token = tile.first + warpRow + lane / 4;  // and the eighth after it
	const int place = stretch.placeOf(tile.first), length = stretch.length(), firstTile = sight.first(place) / walked;
	const int tiles = (sight.end(place + rows - 1, length) + walked - 1) / walked;
	const auto keyToken = [&](int index, int i) { return index * walked + i < length ? stretch.token(index * walked + i) : -1; };
	typename In::template Walk<size, walked, Plan::bringsAhead> walk(queryTile + Queries::halves, operands.k, operands.v);
	Queries queries;
	queries.bring(queryTile, operands.q, head, tile.first, stretch.to);
	walk.start(firstTile, keyHead, keyToken);
	float factors[2];
#pragma unroll
	for (int half = 0; half < 2; half++) {
		factors[half] = scale * log2OfE * (token + 8 * half < stretch.to ? In::scaleOf(operands.q, token + 8 * half, head) : 1.0f);
	}
	WeightedRows<In, size> result;
	float largest[2] = {-INFINITE, -INFINITE}, sum[2] = {};
	for (int index = firstTile; index < tiles; index++) {
		walk.arrive(index, tiles, keyHead, keyToken, [] {});
		float scores[walked / 8][4];
		queries.template multiply<walked>(scores, walk.first());
		const int firstKey = index * walked;
		// the first row of the warp sees least to the right, the last one to the left
		const bool isWhole = firstKey >= sight.first(place + warpRow + 15) && firstKey + walked <= sight.end(place + warpRow, length);
		float shrink[2];
#pragma unroll
		for (int half = 0; half < 2; half++) {
			const Places seen = sight.seenFrom(place + warpRow + lane / 4 + 8 * half, length);
			float best = largest[half];
#pragma unroll
			for (int j = 0; j < walked / 8; j++) {
#pragma unroll
				for (int i = 0; i < 2; i++) {
					const int column = 8 * j + lane % 4 * 2 + i;
					float& score = scores[j][2 * half + i];
					score = isWhole || seen.have(firstKey + column) ? score * factors[half] * walk.firstScale(column) : -INFINITE;
					best = larger(best, score);
				}
			}
			best = overQuad<larger>(best);
			shrink[half] = best == largest[half] ? 1.0f : exp2f(largest[half] - best);
			largest[half] = best;
			// where no key of the tile is seen, nor of those before: weights of 0
			const float base = best == -INFINITE ? 0.0f : best;
			float added = 0.0f;
#pragma unroll
			for (int j = 0; j < walked / 8; j++) {
#pragma unroll
				for (int i = 0; i < 2; i++) {
					float& score = scores[j][2 * half + i];
					score = exp2f(score - base);
					added += score;
					score *= walk.secondScale(8 * j + lane % 4 * 2 + i);
				}
			}
			sum[half] = sum[half] * shrink[half] + added;
		}
		result.template add<size, walked>(shrink, scores, walk.second(), 0);
		walk.leave();
	}
	walk.end();
#pragma unroll
	for (int half = 0; half < 2; half++) {
		const int own = token + 8 * half;
		const float total = overQuad<add>(sum[half]);
		if (own >= stretch.to) continue;
		result.store(out + (static_cast<Count>(own) * heads + head) * headDim, half, 1.0f / total, headDim);
		if (lane % 4 == 0) logSumExp[static_cast<Count>(own) * heads + head] = largest[half] / log2OfE + logf(total);
	}
}

#endif
