// Frozen linear layers together with their adapters: the input is packed once for all that share it, and what an
// adapter adds is summed up in the registers that hold the base's product, so that neither is read twice.
#pragma once
#include "layerDescription.h"
#include "lora.h"
#include "matmul.h"

namespace vulntune::ISA {

// y = x · Wᵀ + scale × dropout(x) · Aᵀ · Bᵀ for each of `count` layers, at most mostParts.
static void linearForward(
	Pool& pool, int64_t M, int64_t K, const float* x, int64_t count, const double* descriptions, bool bf16) {
	const auto* layers = reinterpret_cast<const LayerDescription*>(descriptions);
	RightPart<TransposedMatrix> parts[mostParts];
	int64_t ranks = 0;
	bool dropped = false;
	for (int i = 0; i < count; i++) {
		const LayerDescription& layer = layers[i];
		const auto rank = static_cast<int64_t>(layer.rank);
		const bool fused = rank <= mostRank;
		parts[i] = {
			{weightOf(layer, K)}, static_cast<int64_t>(layer.outputs), addressOf<float*>(layer.y), fused ? rank : 0,
			{denseMatrix(addressOf<const float*>(layer.b), rank)}, addressOf<float*>(layer.h),
			static_cast<float>(layer.scale)};
		ranks += parts[i].rank;
		dropped = dropped || layer.probability > 0;
	}
	auto* stacked = static_cast<float*>(pool.workspace(ranks * K * sizeof(float)));  // [ranks, K]
	float* next = stacked;
	for (int i = 0; i < count; i++) {
		if (parts[i].rank == 0) continue;
		const auto* a = addressOf<const float*>(layers[i].a);
		if (dropped) {
			const DropoutMask mask = makeDropoutMask(layers[i].seed, layers[i].stream, layers[i].probability);
			narrowForward(
				pool, M, K, parts[i].rank, parts[i].narrow, x, a, bf16, layers[i].probability > 0 ? &mask : nullptr);
		} else {
			memcpy(next, a, parts[i].rank * K * sizeof(float));
			next += parts[i].rank * K;
		}
	}
	const NarrowProduct<TransposedMatrix> narrow = {dropped, {denseMatrix(stacked, K)}, 1.0f};
	multiplyParts(pool, M, K, RowsOperand{x, K}, parts, static_cast<int>(count), narrow, {bf16, 1.0f, false});
	for (int i = 0; i < count; i++) {
		const LayerDescription& layer = layers[i];
		const auto rank = static_cast<int64_t>(layer.rank);
		if (rank == parts[i].rank) continue;
		loraForward(
			pool, M, parts[i].columns, K, rank, parts[i].c, parts[i].narrow, x, addressOf<const float*>(layer.a),
			addressOf<const float*>(layer.b), static_cast<float>(layer.scale), bf16, layer.seed, layer.stream,
			layer.probability);
	}
}

// dx (+)= dy · W + dropout(dh · A) with dh = scale × dy · B, and dA, dB as loraBackward.
static void linearBackward(
	Pool& pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* dx, bool accumulateDx, float* dA, bool accumulateDA,
	float* dB, bool accumulateDB, const float* x, const float* h, const float* a, const float* b, const float* dy,
	Storage storage, const void* data, const float* scales, const float* codebook, float scale, bool bf16, double seed,
	double stream, double probability) {
	if (dx == nullptr || probability > 0 || rank > mostRank) {
		if (dx != nullptr) matmulNN(pool, M, N, K, dy, storage, data, scales, codebook, dx, bf16, 1.0f, accumulateDx);
		loraBackward(
			pool, M, N, K, rank, dx, true, dA, accumulateDA, dB, accumulateDB, x, h, a, b, dy, scale, bf16, seed, stream,
			probability);
		return;
	}
	auto* dh = static_cast<float*>(pool.workspace((M + N) * rank * sizeof(float)));  // [M, rank]
	const DepthAlongRows<MatrixRows> weight = {{{storage, data, scales, codebook, K, 0}}};
	const RightPart<DepthAlongRows<MatrixRows>> part = {weight, K, dx, rank, {{denseMatrix(a, K)}}, dh, 1.0f};
	const NarrowProduct<DepthAlongRows<MatrixRows>> narrow = {false, {{denseMatrix(b, rank)}}, scale};
	multiplyParts(pool, M, N, RowsOperand{dy, N}, &part, 1, narrow, {bf16, 1.0f, accumulateDx});
	adapterGradients(
		pool, M, {N, K, rank, a, b}, dh, dh + M * rank, dA, accumulateDA, dB, accumulateDB, x, h, dy, scale, nullptr);
}

}  // namespace vulntune::ISA
