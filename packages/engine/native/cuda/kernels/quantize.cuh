// Quantisation to four bits, block by block, and back.
#pragma once
#include "reduce.cuh"
#include "weights.cuh"

/** target [rows, columns] f32 = the values of rows [firstRow, …) of a weight. */
KERNEL weightToFloats(float* target, WEIGHT_PARAMETERS, Count first, Count count, int columns) {
	const Count i = threadInGrid();
	if (i < count) target[i] = valueOf(WEIGHT_OF(columns), first + i);
}

/** target [count] = scales that are quantised in their turn. */
KERNEL restoreScales(float* target, const float* scales, const Byte* scaleCodes, const float* scaleMap, float scaleOffset, Count count) {
	const Count i = threadInGrid();
	if (i < count) target[i] = scaleOf({scales, scaleCodes, scaleMap, scaleOffset}, i);
}

/**
 * Codes of the nearest of 16 values: `order` holds the codes by ascending value (of equal values the lower code first),
 * `midpoints` [15] where neighbours meet. 32 threads a block of 64 elements, two neighbours each; `notFinite` gets the position of
 * the first element that is no finite number.
 */
KERNEL quantizeTable4(Byte* codes, float* absmax, const Byte* order, const float* midpoints, const void* x, int storage,
					  Count count, int* notFinite) {
	const Count block = threadInGrid() / warpSize32;
	const Count at = block * scaleBlock + 2 * (threadIdx.x % warpSize32);
	if (block * scaleBlock >= count) return;
	const Weight source = denseOf(x, storage, 1);
	float values[2];
	float largest = 0.0f;
	for (int i = 0; i < 2; i++) {
		values[i] = at + i < count ? valueOf(source, at + i) : 0.0f;
		const float magnitude = fabsf(values[i]);
		if (!(magnitude < INFINITE)) atomicMin(notFinite, static_cast<int>(at + i));
		else largest = larger(largest, magnitude);
	}
	largest = overWarp<larger>(largest);
	if (threadIdx.x % warpSize32 == 0) absmax[block] = largest;
	const float reciprocal = 1.0f / largest;
	// of zeros, or of numbers so small that the reciprocal overflows: the code of 0 throughout
	const float inverse = reciprocal == INFINITE ? 0.0f : reciprocal;
	Byte pair = 0;
	for (int i = 0; i < 2; i++) {
		const float scaled = values[i] * inverse;
		int rank = 0;
		while (rank < 15 && scaled > midpoints[rank]) rank++;
		pair = static_cast<Byte>((pair << 4) | order[rank]);
	}
	if (at < count) codes[at / 2] = pair;
}
