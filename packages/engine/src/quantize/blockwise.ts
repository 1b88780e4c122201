import { inputError } from '../errors.ts';
import type { NearestTable } from './nearest.ts';

/** Elements that share one absmax in every blockwise type; blocks run over the flat row-major matrix, across rows. */
export const blockSize = 64;

/** Blocks of `size` in `length` elements; the last may be short. */
export function blockCount(length: number, size: number = blockSize): number {
	return Math.ceil(length / size);
}

const maxBlockSize = 256;
const scaled = new Float32Array(maxBlockSize);
const scaledBits = new Uint32Array(scaled.buffer);

/**
 * Quantises `values[start … end)`, at most 256 of them, as one block: writes the code nearest to each x · (1 / absmax), every step
 * rounded to float32, to `codes` from `codesStart` on, and returns absmax. A block of zeros, or of numbers so small (below 3e-39)
 * that 1 / absmax overflows, gets the code of 0 throughout. Throws `QUANTIZE_NOT_FINITE` on NaN or infinity.
 */
export function quantizeBlock(
	values: Float32Array,
	start: number,
	end: number,
	table: NearestTable,
	codes: Uint8Array,
	codesStart: number,
): number {
	const { midpoints, firstRanks } = table;
	const absmax = largestMagnitude(values, start, end);
	const reciprocal = Math.fround(1 / absmax);
	const inverse = reciprocal === Infinity ? 0 : reciprocal;
	const length = end - start;
	for (let index = 0; index < length; index++) scaled[index] = values[start + index]! * inverse;
	for (let index = 0; index < length; index++) {
		const first = firstRanks[scaledBits[index]! >>> 16]!;
		const rank = first + (scaled[index]! > midpoints[first]! ? 1 : 0);
		codes[codesStart + index] = table.codes[rank]!;
	}
	return absmax;
}

/** The largest magnitude in `values[start … end)`, 0 if there is none. Throws `QUANTIZE_NOT_FINITE` on NaN or infinity. */
export function largestMagnitude(values: Float32Array, start: number, end: number): number {
	let largest = 0;
	for (let index = start; index < end; index++) {
		const magnitude = Math.abs(values[index]!);
		if (!(magnitude < Infinity)) throw notFinite(values[index]!, index);
		if (magnitude > largest) largest = magnitude;
	}
	return largest;
}

/** `QUANTIZE_NOT_FINITE` for the element at `index` of a matrix. */
export function notFinite(value: number, index: number) {
	return inputError(
		'QUANTIZE_NOT_FINITE',
		`only finite numbers can be quantised, but element ${index} is ${value}`,
		{ remedy: 'The weights are damaged: download or export the model again.' },
	);
}

/** Throws `QUANTIZE_SHAPE` unless `shape` is [rows, columns], both at least 1, with `length` elements. */
export function checkMatrixShape(shape: readonly number[], length: number): void {
	const [rows = 0, columns = 0] = shape;
	const isMatrix = shape.length === 2 && shape.every((size) => Number.isSafeInteger(size) && size > 0);
	if (isMatrix && rows * columns === length) return;
	throw inputError(
		'QUANTIZE_SHAPE',
		`a matrix [rows, columns] of ${length} elements is expected, found the shape [${shape.join(', ')}]`,
		{ remedy: 'Only the two-dimensional weights of linear layers can be quantised.' },
	);
}
