// The kernels of attention that JavaScript calls. Under bf16 they multiply by the matrix unit where there is one, and
// otherwise in float32.
#pragma once
#include "attention.h"
#include "attentionBackward.h"
#if defined(SIMD_AMX)
#include "matrixAttention.h"
#include "matrixAttentionBackward.h"
#endif

namespace vulntune::ISA {

static void attention(
	Pool& pool,
	float* out,
	float* logSumExp,
	const float* q,
	const float* k,
	const float* v,
	const int32_t* segmentStarts,
	const int32_t* segmentParents,
	int64_t count,
	int64_t heads,
	int64_t keyValueHeads,
	int64_t headDim,
	int64_t queryStride,
	int64_t keyStride,
	bool causal,
	int64_t window,
	float scale,
	[[maybe_unused]] bool bf16) {
	const AttentionSizes sizes = {heads, keyValueHeads, headDim, queryStride, keyStride, causal, window, scale};
	const Segments segments = {segmentStarts, segmentParents, count};
#if defined(SIMD_AMX)
	if (bf16) return attentionByUnit(pool, out, logSumExp, q, k, v, segments, sizes);
#endif
	attentionInFloats(pool, out, logSumExp, q, k, v, segments, sizes);
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
	const int32_t* segmentParents,
	int64_t count,
	int64_t heads,
	int64_t keyValueHeads,
	int64_t headDim,
	int64_t queryStride,
	int64_t keyStride,
	bool causal,
	int64_t window,
	float scale,
	[[maybe_unused]] bool bf16) {
	const AttentionSizes sizes = {heads, keyValueHeads, headDim, queryStride, keyStride, causal, window, scale};
	const Segments segments = {segmentStarts, segmentParents, count};
	const BackwardPointers all = {dq, dk, dv, q, k, v, out, logSumExp, dOut};
#if defined(SIMD_AMX)
	if (bf16) {
		const PackedKeys packed(pool, sizes, segments, true, k, v);
		return differentiateAttention(pool, sizes, segments, all, UnitTileBackward{sizes, packed, all});
	}
#endif
	differentiateAttention(pool, sizes, segments, all, FloatTileBackward{sizes, all});
}

}  // namespace vulntune::ISA
