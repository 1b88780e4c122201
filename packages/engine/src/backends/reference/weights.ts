import {
	type FloatPrecision,
	floatScales,
	isQuantized,
	type QuantizedWeight,
	type View,
	type Weight,
} from '../contract.ts';
import { dataOf, floatsOf } from './memory.ts';
import { roundOperand, valuesOf } from './numbers.ts';

/** Elements of the flat matrix that share a scale (bitsandbytes' block size). */
const blockSize = 64;

/** Writes row `row` of a weight W [N, K] into `target` [K]. */
export type RowReader = (row: number, target: Float64Array) => void;

/**
 * Reads a weight row by row, so that a matrix is never held whole in float64. The value of a quantised element
 * is its product rounded to float32, as everyone who made such files computes it.
 */
export function rowReader(weight: Weight, precision: FloatPrecision): RowReader {
	const read = isQuantized(weight) ? quantizedRowReader(weight) : denseRowReader(weight);
	if (precision === 'fp32') return read;
	return (row, target) => {
		read(row, target);
		roundOperand(target, precision);
	};
}

function denseRowReader(weight: View): RowReader {
	const columns = weight.shape[1]!;
	if (weight.dtype === 'f32') {
		const data = floatsOf(weight); // [N, K]
		return (row, target) => target.set(data.subarray(row * columns, (row + 1) * columns));
	}
	return (row, target) =>
		target.set(valuesOf({ ...weight, offset: weight.offset + row * columns, shape: [columns] }));
}

function quantizedRowReader(weight: QuantizedWeight): RowReader {
	const columns = weight.shape[1]!;
	const codes = dataOf(weight.codes);
	const scales = floatsOf(floatScales(weight));
	if (weight.layout === 'int8') {
		return (row, target) => {
			const scale = scales[row]!;
			for (let k = 0, i = row * columns; k < columns; k++, i++) target[k] = Math.fround(codes[i]! * scale);
		};
	}
	const codebook = floatsOf(weight.codebook!);
	if (weight.layout === 'table8') {
		return (row, target) => {
			for (let k = 0, i = row * columns; k < columns; k++, i++) {
				target[k] = Math.fround(codebook[codes[i]!]! * scales[Math.floor(i / blockSize)]!);
			}
		};
	}
	return (row, target) => {
		for (let k = 0, i = row * columns; k < columns; k++, i++) {
			const pair = codes[Math.floor(i / 2)]!;
			const code = i % 2 === 0 ? pair >> 4 : pair & 15;
			target[k] = Math.fround(codebook[code]! * scales[Math.floor(i / blockSize)]!);
		}
	};
}
