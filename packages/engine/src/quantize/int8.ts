import { checkMatrixShape, largestMagnitude } from './blockwise.ts';

/** A matrix in 8 bits an element, one scale a row: element [n, k] is codes[n, k] · scales[n]. */
export interface QuantizedMatrix8 {
	readonly type: 'int8';
	/** [rows, columns] */
	readonly shape: readonly [number, number];
	/** [rows · columns], -127 … 127 */
	readonly codes: Int8Array;
	/** [rows]: the row's absmax / 127. */
	readonly scales: Float32Array;
}

/** Adding and subtracting it rounds a float64 below 2^51 to a whole number, halves to even. */
const roundingShift = 1.5 * 2 ** 52;

/**
 * Quantises a row-major matrix symmetrically, row by row: scale = absmax / 127 in float32, code = x / scale rounded to the
 * nearest whole number, halves to even. A row whose scale underflows to 0 has codes 0. Throws `QUANTIZE_SHAPE`,
 * `QUANTIZE_NOT_FINITE`.
 */
export function quantizeInt8(values: Float32Array, shape: readonly [number, number]): QuantizedMatrix8 {
	checkMatrixShape(shape, values.length);
	const [rows, columns] = shape;
	const codes = new Int8Array(values.length);
	const scales = new Float32Array(rows);
	for (let row = 0; row < rows; row++) {
		const start = row * columns;
		let scale = Math.fround(largestMagnitude(values, start, start + columns) / 127);
		// Rounded up beside the largest float32, 127 steps would leave its range: one float32 less stays inside.
		if (Math.fround(127 * scale) === Number.POSITIVE_INFINITY) scale = Math.fround(scale * (1 - 2 ** -23));
		scales[row] = scale;
		if (scale === 0) continue;
		for (let index = start; index < start + columns; index++) {
			// A rounded-down scale may give 127.5 where it is subnormal.
			const code = values[index]! / scale + roundingShift - roundingShift;
			codes[index] = Math.max(-127, Math.min(code, 127));
		}
	}
	return { type: 'int8', shape, codes, scales };
}

/** The values that the codes stand for, row-major [rows · columns]. */
export function dequantizeInt8(
	matrix: QuantizedMatrix8,
	target = new Float32Array(matrix.codes.length),
): Float32Array<ArrayBuffer> {
	const [rows, columns] = matrix.shape;
	const { codes, scales } = matrix;
	for (let row = 0; row < rows; row++) {
		const scale = scales[row]!;
		for (let index = row * columns; index < (row + 1) * columns; index++)
			target[index] = codes[index]! * scale;
	}
	return target;
}
