import { blockCount, blockSize } from './blockwise.ts';
import { quantizeAbsmax } from './double-quantization.ts';
import {
	dequantizeFourBit,
	type FourBitOptions,
	fourBitCodebook,
	type QuantizedMatrix4,
	quantizeFourBit,
} from './four-bit.ts';
import { dequantizeInt8, type QuantizedMatrix8, quantizeInt8 } from './int8.ts';
import {
	dequantizeQuantile,
	type QuantileMatrix,
	quantileTypeCodebook,
	quantizeQuantile,
} from './quantile-matrix.ts';
import type { QuantizedType } from './types.ts';

export type QuantizedMatrix = QuantizedMatrix4 | QuantizedMatrix8 | QuantileMatrix;

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

/** A mean of absmax values that takes as many characters in JSON as any can. */
const longestOffset = 1.234_567_890_123_456_7e-6;

/** A quantised matrix of zeros: it takes the memory, and the tensors of a file, that any other of its shape and type does. */
export function blankMatrix(
	shape: readonly [number, number],
	type: QuantizedType,
	{ doubleQuantization = false, valueType = 'float32' }: FourBitOptions = {},
): QuantizedMatrix {
	const length = shape[0] * shape[1];
	if (type === 'int8') {
		return { type, shape, codes: new Int8Array(length), scales: new Float32Array(shape[0]) };
	}
	const blocks = blockCount(length);
	const common = { shape, blockSize, absmax: new Float32Array(blocks) } as const;
	if (type !== 'nf4' && type !== 'fp4') {
		return { ...common, type, codes: new Uint8Array(length), codebook: quantileTypeCodebook(type) };
	}
	const matrix = { ...common, type, valueType, packed: new Uint8Array(Math.ceil(length / 2)) };
	if (!doubleQuantization) return matrix;
	return { ...matrix, double: { ...quantizeAbsmax(common.absmax), offset: longestOffset } };
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
