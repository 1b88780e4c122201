// Tiles of other widths for products of warp groups on Hopper, which no card has timed yet: of few rows those of 128 and 256 columns leave much of a card
// idle in the last wave. The widths stand once more in bench/cuda/variants.ts.
#pragma once

/** Declared before the template that asks for them. */
#define DECLARE_MULTIPLICATION(columns) \
	template <bool leftByDepth, bool rightByDepth> \
	static __device__ __forceinline__ void multiplyInGroup(float (&sum)[columns / 2], unsigned long long left, unsigned long long right);
DECLARE_MULTIPLICATION(160)
DECLARE_MULTIPLICATION(192)
DECLARE_MULTIPLICATION(224)
#undef DECLARE_MULTIPLICATION
#include "../kernels/groupProduct.cuh"

#ifdef HOPPER
/** The registers of a thread's sums of so many columns, as the instruction lists them. */
#define SUMS_OF_128 \
	"%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
	", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31" \
	", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
	", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define SUMS_OF_160 SUMS_OF_128 \
	", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define SUMS_OF_192 SUMS_OF_160 \
	", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define SUMS_OF_224 SUMS_OF_192 \
	", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define FOUR_SUMS(i) "+f"(sum[i]), "+f"(sum[i + 1]), "+f"(sum[i + 2]), "+f"(sum[i + 3])
#define SIXTEEN_SUMS(i) FOUR_SUMS(i), FOUR_SUMS(i + 4), FOUR_SUMS(i + 8), FOUR_SUMS(i + 12)

/** sum [64, columns] += left [64, 16] · right [16, columns], both described in shared memory; the four warps of a group together. */
#define MULTIPLY_IN_GROUP(columns, listed, leftAt, rightAt, leftBit, rightBit, ...)                                                                \
	template <bool leftByDepth, bool rightByDepth>                                                                                                 \
	static __device__ void multiplyInGroup(float (&sum)[columns / 2], unsigned long long left, unsigned long long right) {  \
		asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32.bf16.bf16 {" listed "}, " leftAt ", " rightAt ", 1, 1, 1, " leftBit ", " rightBit ";" \
					 : __VA_ARGS__                                                                                                                 \
					 : "l"(left), "l"(right), "n"(leftByDepth ? 1 : 0), "n"(rightByDepth ? 1 : 0));                                                \
	}
MULTIPLY_IN_GROUP(160, SUMS_OF_160, "%80", "%81", "%82", "%83", SIXTEEN_SUMS(0), SIXTEEN_SUMS(16), SIXTEEN_SUMS(32), SIXTEEN_SUMS(48), SIXTEEN_SUMS(64))
MULTIPLY_IN_GROUP(192, SUMS_OF_192, "%96", "%97", "%98", "%99", SIXTEEN_SUMS(0), SIXTEEN_SUMS(16), SIXTEEN_SUMS(32), SIXTEEN_SUMS(48), SIXTEEN_SUMS(64), SIXTEEN_SUMS(80))
MULTIPLY_IN_GROUP(224, SUMS_OF_224, "%112", "%113", "%114", "%115", SIXTEEN_SUMS(0), SIXTEEN_SUMS(16), SIXTEEN_SUMS(32), SIXTEEN_SUMS(48), SIXTEEN_SUMS(64), SIXTEEN_SUMS(80), SIXTEEN_SUMS(96))
#undef MULTIPLY_IN_GROUP
#undef SIXTEEN_SUMS
#undef FOUR_SUMS
#undef SUMS_OF_224
#undef SUMS_OF_192
#undef SUMS_OF_160
#undef SUMS_OF_128
#endif

#define GROUP_VARIANT(columnsOfTile) \
	KERNEL __launch_bounds__(groupThreads, 1) groupVariantNT##columnsOfTile(const GRID_CONSTANT TensorMap left, const GRID_CONSTANT TensorMap right, Bfloat16* out, int accumulate, float scale, int rows, int columns, int depth) { \
		GROUP_BODY(columnsOfTile, false, false); \
	}
GROUP_VARIANT(160)
GROUP_VARIANT(192)
GROUP_VARIANT(224)
#undef GROUP_VARIANT
