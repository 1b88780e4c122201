// Low-rank adapters (Hu et al. 2021), forward and backward. Both run the same way over panels of rows: a skinny product
// with a few hundred columns' worth of depth but only `rank` columns, then its expansion to the full width, while
// the panel is in the cache.
#pragma once
#include "gemm.h"
#include "skinny.h"
#include "thinProduct.h"

namespace vulntune::ISA {

// narrow [M, rank] = narrowScale × dropout(wide) [M, width] · innerᵀ, inner [rank, width];
// result [M, resultWidth] (+)= resultScale × dropout(narrow · outer), outer [rank, resultWidth].
struct LowRankUpdate {
	int64_t M;
	int64_t rank;
	const float* wide;
	int64_t width;
	const DropoutMask* wideMask;  // may be null
	float narrowScale;
	float* narrow;
	float* result;  // may be null: only `narrow` is wanted
	int64_t resultWidth;
	const DropoutMask* resultMask;  // may be null
	float resultScale;
	bool accumulate;
};

// A part of the rank: columns [first, first + count) of `narrow`.
struct RankPart {
	int64_t first;
	int64_t count;
};

// The longest part: a row of `narrow` is a row of a panel of the inner loop, which has room for that many steps.
constexpr int64_t rankAtOnce = depthBlock;

template <Arithmetic arithmetic>
struct LowRankSizes {
	int64_t innerSteps;    // of a row of `wide`, whole vectors
	int64_t innerRows;     // of the part, rounded up
	int64_t outerSteps;    // of a row of the part of `narrow`
	int64_t outerStride;   // of a packed panel of `outer`
	int64_t outerPanels;

	LowRankSizes(const LowRankUpdate& u, const RankPart& part)
		: innerSteps(divideUp(divideUp(u.width, elementsPerStep<arithmetic>), W) * W),
		  innerRows(divideUp(part.count, skinnyColumns) * skinnyColumns),
		  outerSteps(divideUp(part.count, elementsPerStep<arithmetic>)),
		  outerStride(divideUp(outerSteps, W) * W * tileColumns),
		  outerPanels(divideUp(u.resultWidth, tileColumns)) {}

	int64_t innerSize() const { return innerRows * innerSteps; }
	int64_t outerSize() const { return outerPanels * outerStride; }
};

// Columns `part` of `narrow`, and what they add to the result. inner(row, target) writes row `row` of the inner matrix
// as float32.
template <Arithmetic arithmetic, typename Inner, typename Outer>
void updateRankPart(
	Pool& pool, const LowRankUpdate& u, const RankPart& part, const Inner& inner, const Outer& outer) {
	const LowRankSizes<arithmetic> sizes(u, part);
	const bool accumulate = u.accumulate || part.first > 0;
	const DepthRange rankRange = {part.first, part.count, sizes.outerSteps};
	const DepthRange widthRange = {0, u.width, sizes.innerSteps};
	const int64_t stageSize = maximum<int64_t>(maximum(u.width, u.resultWidth), W * depthBlock) + 2 * tileColumns;
	const int64_t panelSize = tileRows * (sizes.innerSteps + depthBlock + u.resultWidth);
	pool.reserve((sizes.innerSize() + sizes.outerSize()) * sizeof(float), (stageSize * 2 + panelSize) * sizeof(float));
	auto* packedInner = static_cast<float*>(pool.shared());
	float* packedOuter = packedInner + sizes.innerSize();
	const int64_t outerTasks = u.result == nullptr ? 0 : sizes.outerPanels;

	pool.run(part.count + outerTasks, [&](int64_t task, int thread) {
		auto* stage = static_cast<float*>(pool.local(thread));
		if (task < part.count) {
			inner(part.first + task, stage);
			packRow<arithmetic>(stage, widthRange, packedInner + task * sizes.innerSteps);
		} else {
			const int64_t panel = task - part.count;
			const int64_t column = panel * tileColumns;
			outer.template pack<arithmetic>(
				column, minimum<int64_t>(tileColumns, u.resultWidth - column), rankRange,
				packedOuter + panel * sizes.outerStride, sizes.outerStride, stage);
		}
	});
	memset(
		packedInner + part.count * sizes.innerSteps, 0, (sizes.innerRows - part.count) * sizes.innerSteps * sizeof(float));

	// Rows that are what the product takes are read where they lie.
	const bool readable = arithmetic == Arithmetic::fp32 && u.wideMask == nullptr && sizes.innerSteps == u.width;
	const int64_t panels = divideUp(u.M, tileRows);
	pool.run(panels, [&](int64_t panel, int thread) {
		const int64_t row = panel * u.M / panels;
		const int rows = static_cast<int>((panel + 1) * u.M / panels - row);
		auto* stage = static_cast<float*>(pool.local(thread));
		float* packedWide = stage + stageSize * 2;
		float* packedNarrow = packedWide + tileRows * sizes.innerSteps;
		float* expanded = packedNarrow + tileRows * depthBlock;
		const float* wide = u.wide + row * u.width;
		if (!readable) {
			for (int r = 0; r < rows; r++) {
				const float* source = wide + r * u.width;
				if (u.wideMask != nullptr) {
					dropoutRun(stage, source, (row + r) * u.width, u.width, *u.wideMask);
					source = stage;
				}
				packRow<arithmetic>(source, widthRange, packedWide + r * sizes.innerSteps);
			}
			wide = packedWide;
		}
		skinnyProduct<arithmetic>(
			rows, part.count, wide, sizes.innerSteps, packedInner, sizes.innerSteps, sizes.innerSteps, u.narrowScale,
			u.narrow + row * u.rank + part.first, u.rank);
		if (u.result == nullptr) return;

		RowsOperand{u.narrow, u.rank}.pack<arithmetic>(row, rows, rankRange, packedNarrow);
		float* result = u.result + row * u.resultWidth;
		const bool direct = u.resultMask == nullptr;
		Tile tile;
		tile.a = packedNarrow;
		tile.depth = sizes.outerSteps;
		tile.cStride = u.resultWidth;
		tile.scale = u.resultScale;
		tile.accumulate = direct && accumulate;
		for (int64_t outerPanel = 0; outerPanel < sizes.outerPanels; outerPanel++) {
			const int64_t column = outerPanel * tileColumns;
			tile.b = packedOuter + outerPanel * sizes.outerStride;
			tile.c = (direct ? result : expanded) + column;
			tile.columns = static_cast<int>(minimum<int64_t>(tileColumns, u.resultWidth - column));
			tileFunctions<arithmetic>.forRows[rows](tile);
		}
		if (direct) return;
		const int64_t count = rows * u.resultWidth;
		dropoutRun(expanded, expanded, row * u.resultWidth, count, *u.resultMask);
		forVectors(0, count, [&](int64_t i, auto n) {
			vf value = load(expanded + i, n);
			if (accumulate) value = value + load(result + i, n);
			store(result + i, value, n);
		});
	});
}

// The whole update, a part of the rank at a time: dropout of a sum is the sum of the dropped parts.
template <Arithmetic arithmetic, typename Inner, typename Outer>
void updateLowRank(Pool& pool, const LowRankUpdate& u, const Inner& inner, const Outer& outer) {
	for (int64_t first = 0; first < u.rank; first += rankAtOnce) {
		updateRankPart<arithmetic>(pool, u, {first, minimum(rankAtOnce, u.rank - first)}, inner, outer);
	}
}

// The factors of one adapter, a [rank, K] and b [N, rank].
struct LoraFactors {
	int64_t N;
	int64_t K;
	int64_t rank;
	const float* a;
	const float* b;
};

template <Arithmetic arithmetic>
void loraForwardIn(Pool& pool, const LoraFactors& f, const LowRankUpdate& update) {
	updateLowRank<arithmetic>(
		pool, update, [&](int64_t row, float* target) { memcpy(target, f.a + row * f.K, f.K * sizeof(float)); },
		TransposedMatrix{denseMatrix(f.b, f.rank)});
}

template <Arithmetic arithmetic>
void loraBackwardIn(Pool& pool, const LoraFactors& f, const LowRankUpdate& update) {
	updateLowRank<arithmetic>(
		pool, update,
		[&](int64_t row, float* target) {
			for (int64_t n = 0; n < f.N; n++) target[n] = f.b[n * f.rank + row];
		},
		DepthAlongRows<MatrixRows>{{denseMatrix(f.a, f.K)}});
}

// h [M, rank] = dropout(x) · Aᵀ alone.
inline void narrowForward(
	Pool& pool, int64_t M, int64_t K, int64_t rank, float* h, const float* x, const float* a, bool bf16,
	const DropoutMask* mask) {
	const LoraFactors factors = {0, K, rank, a, nullptr};
	const LowRankUpdate update = {M, rank, x, K, mask, 1.0f, h, nullptr, 0, nullptr, 1.0f, false};
	if (bf16) {
		loraForwardIn<bf16Arithmetic>(pool, factors, update);
	} else {
		loraForwardIn<Arithmetic::fp32>(pool, factors, update);
	}
}

static void loraForward(
	Pool& pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* y, float* h, const float* x, const float* a,
	const float* b, float scale, bool bf16, double seed, double stream, double probability) {
	const DropoutMask mask = makeDropoutMask(seed, stream, probability);
	const LoraFactors factors = {N, K, rank, a, b};
	const LowRankUpdate update = {M, rank, x, K, probability > 0 ? &mask : nullptr, 1.0f, h, y, N, nullptr, scale, true};
	if (bf16) {
		loraForwardIn<bf16Arithmetic>(pool, factors, update);
	} else {
		loraForwardIn<Arithmetic::fp32>(pool, factors, update);
	}
}

// dA [rank, K] (+)= dhᵀ · dropout(x), in float32.
inline void gradientOfA(
	Pool& pool, int64_t M, const LoraFactors& f, const float* dh, const float* x, float* dA, bool accumulate,
	const DropoutMask* drop) {
	if (drop == nullptr) {
		thinTN(pool, M, f.rank, f.K, dh, x, dA, 1.0f, accumulate);
	} else {
		multiplyMatrices(
			pool, f.rank, f.K, M, ColumnsOperand{dh, f.rank}, DepthAlongRows<DroppedRows>{{x, f.K, *drop}}, dA,
			{false, 1.0f, accumulate});
	}
}

// dB [N, rank] (+)= scale × the transposed sum of `count` matrices [rank, N].
inline void gradientOfB(
	Pool& pool, const LoraFactors& f, const float* transposed, int64_t count, float scale, float* dB, bool accumulate) {
	constexpr int64_t together = 64;
	pool.run(divideUp(f.N, together), [&](int64_t task, int) {
		const int64_t first = task * together;
		const int64_t some = minimum(together, f.N - first);
		for (int64_t r = 0; r < f.rank; r++) {
			float sums[together] = {};
			for (int64_t i = 0; i < count; i++) {
				const float* row = transposed + (i * f.rank + r) * f.N + first;
				for (int64_t n = 0; n < some; n++) sums[n] += row[n];
			}
			for (int64_t n = 0; n < some; n++) {
				float& target = dB[(first + n) * f.rank + r];
				target = (accumulate ? target : 0.0f) + scale * sums[n];
			}
		}
	});
}

// dA and dB, in float32, of an adapter whose dh [M, rank] = scale × dy · B is there. transposedDB: room for [rank, N].
inline void adapterGradients(
	Pool& pool, int64_t M, const LoraFactors& f, const float* dh, float* transposedDB, float* dA, bool accumulateDA,
	float* dB, bool accumulateDB, const float* x, const float* h, const float* dy, float scale, const DropoutMask* drop) {
	gradientOfA(pool, M, f, dh, x, dA, accumulateDA, drop);
	thinTN(pool, M, f.rank, f.N, h, dy, transposedDB, 1.0f, false);
	gradientOfB(pool, f, transposedDB, 1, scale, dB, accumulateDB);
}

static void loraBackward(
	Pool& pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* dx, bool accumulateDx, float* dA, bool accumulateDA,
	float* dB, bool accumulateDB, const float* x, const float* h, const float* a, const float* b, const float* dy,
	float scale, bool bf16, double seed, double stream, double probability) {
	const DropoutMask mask = makeDropoutMask(seed, stream, probability);
	const DropoutMask* drop = probability > 0 ? &mask : nullptr;
	const LoraFactors factors = {N, K, rank, a, b};
	auto* dh = static_cast<float*>(pool.workspace((M + N) * rank * sizeof(float)));  // [M, rank]
	float* transposedDB = dh + M * rank;                                               // [rank, N]
	const LowRankUpdate update = {M, rank, dy, N, nullptr, scale, dh, dx, K, drop, 1.0f, accumulateDx};
	if (bf16) {
		loraBackwardIn<bf16Arithmetic>(pool, factors, update);
	} else {
		loraBackwardIn<Arithmetic::fp32>(pool, factors, update);
	}
	adapterGradients(
		pool, M, factors, dh, transposedDB, dA, accumulateDA, dB, accumulateDB, x, h, dy, scale, drop);
}

}  // namespace vulntune::ISA
