import {
	dequantizeFourBit,
	type FourBitOptions,
	type FourBitType,
	fourBitCodebook,
	type QuantizedMatrix4,
	quantizeFourBit,
} from './four-bit.ts';
import { dequantizeInt8, type QuantizedMatrix8, quantizeInt8 } from './int8.ts';
import {
	dequantizeQuantile,
	type QuantileMatrix,
	type QuantileType,
	quantizeQuantile,
} from './quantile-matrix.ts';

/** The types of a quantised base, as `method.base` names them. */
export type QuantizedType = FourBitType | 'int8' | QuantileType;

export type QuantizedMatrix = QuantizedMatrix4 | QuantizedMatrix8 | QuantileMatrix;

export const quantizedTypes: readonly QuantizedType[] = [
	'nf4',
	'fp4',
	'int8',
	'quantile2',
	'quantile3',
	'quantile4',
	'quantile5',
	'quantile6',
	'quantile7',
	'quantile8',
	'normal2',
	'normal3',
	'normal4',
	'normal5',
	'normal6',
	'normal7',
	'normal8',
];

export function isQuantizedType(name: unknown): name is QuantizedType {
	return (quantizedTypes as readonly unknown[]).includes(name);
}

/**
 * Quantises a row-major matrix [rows, columns]; `options` matter to nf4 and fp4 only. Throws `QUANTIZE_SHAPE`,
 * `QUANTIZE_NOT_FINITE`.
 */
export function quantizeMatrix(
	values: Float32Array,
	shape: readonly [number, number],
	type: QuantizedType,
	options: FourBitOptions = {},
): QuantizedMatrix {
	if (type === 'nf4' || type === 'fp4') return quantizeFourBit(values, shape, type, options);
	if (type === 'int8') return quantizeInt8(values, shape);
	return quantizeQuantile(values, shape, type);
}

/** The values that a quantised matrix stands for, row-major [rows · columns]. */
export function dequantizeMatrix(
	matrix: QuantizedMatrix,
	target?: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
	switch (matrix.type) {
		case 'nf4':
		case 'fp4':
			return dequantizeFourBit(matrix, target);
		case 'int8':
			return dequantizeInt8(matrix, target);
		default:
			return dequantizeQuantile(matrix, target);
	}
}

/** The value of every code before scaling, [16], [2^k - 1] or [2^k]; undefined for int8, whose codes are the values. */
export function matrixCodebook(matrix: QuantizedMatrix): Float32Array | undefined {
	switch (matrix.type) {
		case 'int8':
			return undefined;
		case 'nf4':
		case 'fp4':
			return fourBitCodebook(matrix.type);
		default:
			return matrix.codebook;
	}
}
