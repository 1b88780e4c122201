// The most arithmetic that this instruction set can do: multiplications and additions in registers alone. What a
// bench calls the limit of the machine.
#pragma once
#include "../bf16.h"
#include "../pool.h"
#include "../simd.h"
#if defined(SIMD_AMX)
#include "matrixTiles.h"
#endif

namespace vulntune::ISA {

// Independent sums, enough to hide the latency of one multiply-add behind the others, and few enough to stay in
// registers together with both operands.
#if defined(SIMD_AVX512) || defined(__aarch64__)
constexpr int peakSums = 16;
#else
constexpr int peakSums = 12;
#endif

// Each sum is multiplied, not only added to: without a fused instruction the compiler would move a product of
// constants out of the loop.
__attribute__((noinline)) static float peakLoopFp32(int64_t steps, float factor) {
	vf sums[peakSums];
	UNROLL for (int i = 0; i < peakSums; i++) sums[i] = splat(1.0f + static_cast<float>(i));
	const vf a = splat(factor);
	const vf b = splat(1.0f - factor);
	for (int64_t step = 0; step < steps; step++) {
		UNROLL for (int i = 0; i < peakSums; i++) sums[i] = fma(sums[i], a, b);
	}
	vf total = zero();
	UNROLL for (int i = 0; i < peakSums; i++) total = total + sums[i];
	return sum(total);
}

#if defined(SIMD_BF16)
__attribute__((noinline)) static float peakLoopBf16(int64_t steps, float factor) {
	vf sums[peakSums];
	UNROLL for (int i = 0; i < peakSums; i++) sums[i] = splat(1.0f + static_cast<float>(i));
	const vf a = splat(factor);
	const vf b = splat(1.0f - factor);
	for (int64_t step = 0; step < steps; step++) {
		UNROLL for (int i = 0; i < peakSums; i++) sums[i] = dotBf16(sums[i], a, b);
	}
	vf total = zero();
	UNROLL for (int i = 0; i < peakSums; i++) total = total + sums[i];
	return sum(total);
}
#endif

#if defined(SIMD_AMX)
// Operations of a step of the loop below.
constexpr double matrixUnitOperations = 2.0 * 4 * 2 * matrixTileRows * matrixTileRows * matrixTileSteps;

__attribute__((noinline)) static float peakLoopMatrixUnit(int64_t steps, float factor) {
	alignas(64) float values[matrixTileRows * matrixTileSteps];
	for (float& value : values) value = factor;
	shapeTiles(MatrixTileShapes(2 * matrixTileRows));
	zeroTile<upperLeft>();
	zeroTile<upperRight>();
	zeroTile<lowerLeft>();
	zeroTile<lowerRight>();
	loadTile<upperRows>(values, matrixTileSteps);
	loadTile<lowerRows>(values, matrixTileSteps);
	loadTile<leftColumns>(values, matrixTileSteps);
	loadTile<rightColumns>(values, matrixTileSteps);
	for (int64_t step = 0; step < steps; step++) {
		multiplyTiles<upperLeft, upperRows, leftColumns>();
		multiplyTiles<upperRight, upperRows, rightColumns>();
		multiplyTiles<lowerLeft, lowerRows, leftColumns>();
		multiplyTiles<lowerRight, lowerRows, rightColumns>();
	}
	storeTile<lowerRight>(values, matrixTileSteps);
	releaseTiles();
	return values[0];
}
#endif

// Runs `tasks` loops of `steps` each on all threads and returns the operations that took, a multiply-add being two;
// 0 where bf16 is asked for and the instruction set has no bfloat16 arithmetic.
static double peak(Pool& pool, bool bf16, int64_t tasks, int64_t steps) {
#if !defined(SIMD_BF16)
	if (bf16) return 0;
#endif
	pool.reserve(static_cast<size_t>(tasks) * sizeof(float), 0);
	float* results = static_cast<float*>(pool.shared());
	pool.run(tasks, [&](int64_t task, int) {
		const float factor = 0.5f + 1.0f / static_cast<float>(task + 4);
#if defined(SIMD_AMX)
		results[task] = bf16 ? peakLoopMatrixUnit(steps, factor) : peakLoopFp32(steps, factor);
#elif defined(SIMD_BF16)
		results[task] = bf16 ? peakLoopBf16(steps, factor) : peakLoopFp32(steps, factor);
#else
		results[task] = peakLoopFp32(steps, factor);
#endif
	});
#if defined(SIMD_AMX)
	if (bf16) return matrixUnitOperations * static_cast<double>(steps) * static_cast<double>(tasks);
#endif
	return 2.0 * (bf16 ? 2 : 1) * W * peakSums * static_cast<double>(steps) * static_cast<double>(tasks);
}

}  // namespace vulntune::ISA
