// Products in bfloat16 that no card has timed yet: other tiles, other orders of loads and products, and blocks that go from tile to tile. Their sums
// have the order of those in kernels/tensorProducts.cuh and so its bytes. docs/decisions/011-cuda.md says what each should gain; their sizes stand
// once more in bench/cuda/variants.ts.
#pragma once
#include "copies.cuh"
#include "fragments.cuh"

#ifdef BFLOAT16_TENSOR_CORES
/**
 * ahead: all fragments of the next 16 of the depth are loaded before products of these, twice the registers.
 * rolling: a fragment is loaded as soon as the products of the one in its place have begun.
 */
enum class Order { ahead, rolling };

template <int blockRows, int blockColumns, int warpColumns, int depthStep, int stages, Order order, bool leftByDepth, bool rightByDepth, class Element>
static __device__ __forceinline__ void multiplyVariant(Element* out, int accumulate, float scale, const Operand& left, const Operand& right, int rows, int columns, int depth) {
	using Tiles = Tiling<blockRows, blockColumns, 64, warpColumns, depthStep, leftByDepth, rightByDepth>;
	using Sums = WarpSums<Tiles, Reader<leftByDepth, blockRows, depthStep, 64 / 16>, Reader<rightByDepth, blockColumns, depthStep, warpColumns / 16>>;
	constexpr int stageBytes = 2 * Tiles::stageHalves, end = stages * stageBytes, parts = depthStep / 16;
	DYNAMIC_SHARED(shared);
	const SharedAddress tiles = sharedAddress(shared);
	const int rowTiles = (rows + blockRows - 1) / blockRows, columnTiles = (columns + blockColumns - 1) / blockColumns;
	const int steps = Tiles::steps(depth);
	const auto placeOf = [&](int tile) -> Place {
		const TilePlace at = tilePlace(tile, rowTiles, columnTiles);
		const int warp = threadIdx.x / warpSize32;
		return {at.row * blockRows, at.column * blockColumns, warp % Tiles::warpsDown * 64, warp / Tiles::warpsDown * warpColumns};
	};

	Copies<leftByDepth, blockRows, depthStep, Tiles::threads> leftCopies;
	Copies<rightByDepth, blockColumns, depthStep, Tiles::threads> rightCopies;
	int writeAt = 0, depthLeft = 0;
	const auto fetch = [&] {
		// beyond the depth too, where nothing is read, so that the count of groups says which step has arrived
		leftCopies.next(tiles + writeAt, depthLeft);
		rightCopies.next(tiles + writeAt + 2 * Tiles::rightAt, depthLeft);
		commitCopies();
		depthLeft -= depthStep;
		writeAt = writeAt + stageBytes == end ? 0 : writeAt + stageBytes;
	};
	const auto begin = [&](const Place& place) {
		leftCopies.begin(left, place.firstRow, rows);
		rightCopies.begin(right, place.firstColumn, columns);
		writeAt = 0;
		depthLeft = depth;
#pragma unroll
		for (int step = 0; step < stages - 1; step++) fetch();
	};
	const auto arrive = [&] {
		waitForCopies<stages - 2>();
		__syncthreads();
	};

	int tile = blockIdx.x;
	Place place = placeOf(tile);
	begin(place);
	for (bool more = true; more;) {
		Sums result(place);
		int readAt = 0;
		/** The next step's stage; a branch, since the assembler would do products of this one before it waits. */
		const auto nextStage = [&](int step) {
			if (step + 1 < steps) arrive();
			readAt = readAt + stageBytes == end ? 0 : readAt + stageBytes;
			return tiles + readAt;
		};
		arrive();
		if (order == Order::ahead) {
			typename Sums::Fragments fragments[2];
			result.load(fragments[0], tiles, 0);
			for (int step = 0; step < steps; step++) {
#pragma unroll
				for (int part = 0; part < parts; part++) {
					// before the last part this stage has been read by all
					const SharedAddress stage = part == parts - 1 ? nextStage(step) : tiles + readAt;
					result.load(fragments[(part + 1) % 2], stage, (part + 1) % parts * 16);
					if (part == 0) fetch();
					result.multiply(fragments[part % 2]);
				}
			}
		} else {
			result.begin(tiles);
			for (int step = 0; step < steps; step++) {
				fetch();
#pragma unroll
				for (int part = 0; part < parts; part++) {
					result.roll(part, tiles + readAt, [&] { return part == parts - 1 ? nextStage(step) : tiles + readAt; });
				}
			}
		}
		waitForCopies<0>();
		const Place written = place;
		tile += gridDim.x;
		more = tile < rowTiles * columnTiles;
		if (more) {
			// all have read the last stage; what comes next arrives while this is written
			__syncthreads();
			place = placeOf(tile);
			begin(place);
		}
		result.write(out, accumulate, rows, columns, written, [scale](int) { return scale; });
	}
}

#define VARIANT(Element, direction, leftByDepth, rightByDepth, rowsOfTile, columnsOfTile, warpColumns, depthStep, stages, order, threads, blocks) \
	KERNEL __launch_bounds__(threads, blocks) variant##direction##rowsOfTile##x##columnsOfTile##x##depthStep##x##stages##order(Element* out, int accumulate, float scale, const Half* left, int leftStride, const Half* right, int rightStride, int rows, int columns, int depth) { \
		multiplyVariant<rowsOfTile, columnsOfTile, warpColumns, depthStep, stages, Order::order, leftByDepth, rightByDepth>( \
			out, accumulate, scale, {left, leftStride}, {right, rightStride}, rows, columns, depth); \
	}
#define VARIANTS(...) \
	VARIANT(__VA_ARGS__, 128, 128, 64, 32, 3, ahead, 128, 2) \
	VARIANT(__VA_ARGS__, 128, 128, 64, 32, 3, rolling, 128, 2) \
	VARIANT(__VA_ARGS__, 128, 256, 64, 32, 4, ahead, 256, 1) \
	VARIANT(__VA_ARGS__, 128, 256, 64, 32, 4, rolling, 256, 1) \
	VARIANT(__VA_ARGS__, 128, 256, 64, 64, 3, ahead, 256, 1) \
	VARIANT(__VA_ARGS__, 256, 192, 96, 32, 4, rolling, 256, 1)
VARIANTS(Bfloat16, NT, false, false)
VARIANTS(Bfloat16, NN, false, true)
VARIANTS(float, TN, true, true)
#undef VARIANTS
#undef VARIANT
#endif
