// linear.h with the frozen matrices in 8 bits: adapters are the floats of `precision: bf16`.
#pragma once
#include "int8Matmul.h"
#include "layerDescription.h"
#include "lora.h"

namespace vulntune::ISA {

// y = x · Wᵀ + scale × dropout(x) · Aᵀ · Bᵀ for each of `count` layers, at most mostInt8Parts.
static void int8LinearForward(
	Pool& pool, int64_t M, int64_t K, const float* x, int64_t count, const double* descriptions) {
	const auto* layers = reinterpret_cast<const LayerDescription*>(descriptions);
	Int8Part<Int8TransposedMatrix, TransposedMatrix> parts[mostInt8Parts];
	DropoutMask masks[mostInt8Parts];
	for (int i = 0; i < count; i++) {
		const LayerDescription& layer = layers[i];
		const auto rank = static_cast<int64_t>(layer.rank);
		masks[i] = makeDropoutMask(layer.seed, layer.stream, layer.probability);
		parts[i] = {{weightOf(layer, K)}, static_cast<int64_t>(layer.outputs), addressOf<float*>(layer.y), {}};
		if (rank > mostRank) continue;
		parts[i].tail = {
			rank, addressOf<const float*>(layer.a), K, 1, layer.probability > 0 ? &masks[i] : nullptr,
			addressOf<float*>(layer.h), 1.0f, {denseMatrix(addressOf<const float*>(layer.b), rank)},
			static_cast<float>(layer.scale), nullptr, nullptr};
	}
	Int8Products(pool, M, K, x, parts, static_cast<int>(count), 1.0f, false).run();
	for (int i = 0; i < count; i++) {
		const LayerDescription& layer = layers[i];
		const auto rank = static_cast<int64_t>(layer.rank);
		if (rank <= mostRank) continue;
		loraForward(
			pool, M, parts[i].columns, K, rank, parts[i].c, addressOf<float*>(layer.h), x,
			addressOf<const float*>(layer.a), addressOf<const float*>(layer.b), static_cast<float>(layer.scale), true,
			layer.seed, layer.stream, layer.probability);
	}
}

// dx (+)= dy · W + dropout(dh · A) with dh = scale × dy · B, and dA, dB as loraBackward.
static void int8LinearBackward(
	Pool& pool, int64_t M, int64_t N, int64_t K, int64_t rank, float* dx, bool accumulateDx, float* dA, bool accumulateDA,
	float* dB, bool accumulateDB, const float* x, const float* h, const float* a, const float* b, const float* dy,
	Storage storage, const void* data, const float* scales, const float* codebook, float scale, double seed,
	double stream, double probability) {
	if (dx == nullptr || probability > 0 || rank > mostRank) {
		if (dx != nullptr) int8MatmulNN(pool, M, N, K, dy, storage, data, scales, codebook, dx, 1.0f, accumulateDx);
		loraBackward(
			pool, M, N, K, rank, dx, true, dA, accumulateDA, dB, accumulateDB, x, h, a, b, dy, scale, true, seed, stream,
			probability);
		return;
	}
	const LoraFactors factors = {N, K, rank, a, b};
	const int64_t slices = sliceCount(M, N);
	auto* dh = static_cast<float*>(pool.workspace((M + slices * N) * rank * sizeof(float)));  // [M, rank]
	float* transposedDB = dh + M * rank;                                                       // [slices, rank, N]
	const Matrix weight = {storage, data, scales, codebook, K, 0};
	const Int8Part<Int8DepthAlongRows, DepthAlongRows<MatrixRows>> part = {
		{weight}, K, dx, {rank, b, 1, rank, nullptr, dh, scale, {{denseMatrix(a, K)}}, 1.0f, transposedDB, h}};
	Int8Products(pool, M, N, dy, &part, 1, 1.0f, accumulateDx).run();
	gradientOfA(pool, M, factors, dh, x, dA, accumulateDA, nullptr);
	gradientOfB(pool, factors, transposedDB, slices, scale, dB, accumulateDB);
}

}  // namespace vulntune::ISA
