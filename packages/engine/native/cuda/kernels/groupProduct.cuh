// Matrix products on Hopper's tensor cores, which whole warp groups drive: one group of warps asks the copy engine for tiles, two multiply
// what has arrived and write the result while the next tile's operands come in. Operands as in tensorProduct.cuh; the same order of sums.
#pragma once
#include "tensorProduct.cuh"
#include "warpGroup.cuh"

/** Rows of a tile, the depth of a step and the steps under way. The sizes stand once more in the backend's products.ts. */
constexpr int groupRows = 128, groupDepth = 64, groupStages = 4, groupThreads = 384;

#ifdef HOPPER
/** 64 numbers of 128 bytes by 64 rows: what a warp group reads of either operand at once. */
constexpr int groupBlockBytes = 64 * 128;

template <int columnsOfTile, bool leftByDepth, bool rightByDepth, class Element>
static __device__ __forceinline__ void multiplyInGroups(Element* out, int accumulate, float scale, const TensorMap* left, const TensorMap* right,
														int rows, int columns, int depth) {
	constexpr int leftBytes = groupRows * groupDepth * 2, rightBytes = columnsOfTile * groupDepth * 2, stageBytes = leftBytes + rightBytes;
	DYNAMIC_SHARED(unaligned);
	unsigned char* const shared = unaligned + (1024 - sharedAddress(unaligned) % 1024) % 1024;
	__shared__ unsigned long long full[groupStages], empty[groupStages];
	const int group = threadIdx.x / 128;
	if (threadIdx.x == 0) {
		for (int stage = 0; stage < groupStages; stage++) {
			makeBarrier(full + stage, 1);
			makeBarrier(empty + stage, 2);
		}
		publishBarriers();
	}
	__syncthreads();

	const int rowTiles = (rows + groupRows - 1) / groupRows, columnTiles = (columns + columnsOfTile - 1) / columnsOfTile;
	const int steps = (depth + groupDepth - 1) / groupDepth;
	int stage = 0, parity = 0;
	const auto advance = [&] {
		if (++stage == groupStages) {
			stage = 0;
			parity ^= 1;
		}
	};
	if (group == 0) {
		giveRegisters<40>();
		if (threadIdx.x != 0) return;
		for (int tile = blockIdx.x; tile < rowTiles * columnTiles; tile += gridDim.x) {
			const TilePlace place = tilePlace(tile, rowTiles, columnTiles);
			const int firstRow = place.row * groupRows, firstColumn = place.column * columnsOfTile;
			for (int step = 0; step < steps; step++, advance()) {
				waitFor(empty + stage, parity ^ 1);
				arriveExpecting(full + stage, stageBytes);
				unsigned char* const target = shared + stage * stageBytes;
				if (leftByDepth) {
#pragma unroll
					for (int i = 0; i < groupRows / 64; i++) {
						copyBox(target + i * groupBlockBytes, left, full + stage, firstRow + 64 * i, step * groupDepth);
					}
				} else copyBox(target, left, full + stage, step * groupDepth, firstRow);
				if (rightByDepth) {
#pragma unroll
					for (int i = 0; i < columnsOfTile / 64; i++) {
						copyBox(target + leftBytes + i * groupBlockBytes, right, full + stage, firstColumn + 64 * i, step * groupDepth);
					}
				} else copyBox(target + leftBytes, right, full + stage, step * groupDepth, firstColumn);
			}
		}
		return;
	}

	takeRegisters<232>();
	const int inGroup = threadIdx.x % 128, lane = inGroup % warpSize32;
	for (int tile = blockIdx.x; tile < rowTiles * columnTiles; tile += gridDim.x) {
		const TilePlace place = tilePlace(tile, rowTiles, columnTiles);
		float sums[columnsOfTile / 2] = {};
		int stageBefore = 0;
		for (int step = 0; step < steps; step++, advance()) {
			waitFor(full + stage, parity);
			const unsigned char* const source = shared + stage * stageBytes;
			fenceProducts();
#pragma unroll
			for (int within = 0; within < groupDepth; within += 16) {
				const int leftAt = leftByDepth ? within * 128 : within * 2, rightAt = rightByDepth ? within * 128 : within * 2;
				multiplyInGroup<leftByDepth, rightByDepth>(sums, describeOperand(source + (group - 1) * groupBlockBytes + leftAt, groupBlockBytes),
														   describeOperand(source + leftBytes + rightAt, groupBlockBytes));
			}
			commitProducts();
			waitForProducts<1>();
			if (step > 0 && inGroup == 0) arrive(empty + stageBefore);
			stageBefore = stage;
		}
		waitForProducts<0>();
		if (inGroup == 0) arrive(empty + stageBefore);

		const int firstRow = place.row * groupRows + (group - 1) * 64 + inGroup / warpSize32 * 16 + lane / 4;
		const bool inPairs = storesPairs(out, columns);
#pragma unroll
		for (int half = 0; half < 2; half++) {
			const int row = firstRow + 8 * half;
			if (row >= rows) continue;
			Element* const target = out + static_cast<Count>(row) * columns;
#pragma unroll
			for (int j = 0; j < columnsOfTile / 8; j++) {
				const float* const two = sums + 4 * j + 2 * half;
				storeTwo(target, place.column * columnsOfTile + 8 * j + lane % 4 * 2, columns, scale * two[0], scale * two[1], accumulate, inPairs);
			}
		}
	}
}
#define GROUP_BODY(columnsOfTile, leftByDepth, rightByDepth) \
	multiplyInGroups<columnsOfTile, leftByDepth, rightByDepth>(out, accumulate, scale, &left, &right, rows, columns, depth)
#else
#define GROUP_BODY(...)
#endif

#define GROUP_KERNELS(suffix, Element, direction, leftByDepth, rightByDepth) \
	KERNEL __launch_bounds__(groupThreads, 1) groupProduct##direction##Wide##suffix(const GRID_CONSTANT TensorMap left, const GRID_CONSTANT TensorMap right, Element* out, int accumulate, float scale, int rows, int columns, int depth) { \
		GROUP_BODY(256, leftByDepth, rightByDepth); \
	} \
	KERNEL __launch_bounds__(groupThreads, 1) groupProduct##direction##Narrow##suffix(const GRID_CONSTANT TensorMap left, const GRID_CONSTANT TensorMap right, Element* out, int accumulate, float scale, int rows, int columns, int depth) { \
		GROUP_BODY(128, leftByDepth, rightByDepth); \
	}
#define ACTIVATION_GROUPS(suffix, Element) \
	GROUP_KERNELS(suffix, Element, NT, false, false) \
	GROUP_KERNELS(suffix, Element, NN, false, true)
FOR_ELEMENTS(ACTIVATION_GROUPS)
GROUP_KERNELS(, float, TN, true, true)
#undef ACTIVATION_GROUPS
#undef GROUP_KERNELS
