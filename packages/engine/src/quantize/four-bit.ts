import { roundToBfloat16, roundToFloat16, widenBfloat16, widenFloat16 } from '../formats/floats.ts';
import type { SafetensorsDtype } from '../formats/safetensors/dtypes.ts';
import { blockCount, blockSize, checkMatrixShape, quantizeBlock } from './blockwise.ts';
import { fp4Codebook, nf4Codebook } from './codebooks.ts';
import { type DoubleQuantization, quantizeAbsmax, restoreAbsmax } from './double-quantization.ts';
import { nearestCode, nearestTable } from './nearest.ts';

export type FourBitType = 'nf4' | 'fp4';

/** The type of the weights before quantisation; restored values are rounded to it, as in bitsandbytes. */
export type ValueType = 'float32' | 'bfloat16' | 'float16';

/** The value type of a tensor that is stored as `dtype`. */
export function valueTypeOf(dtype: SafetensorsDtype): ValueType {
	return dtype === 'BF16' ? 'bfloat16' : dtype === 'F16' ? 'float16' : 'float32';
}

/**
 * A matrix in 4 bits an element, as bitsandbytes holds it. Element i of the flat row-major matrix is
 * codebook[code i] · absmax[floor(i / 64)], rounded to `valueType`.
 */
export interface QuantizedMatrix4 {
	readonly type: FourBitType;
	/** [rows, columns] */
	readonly shape: readonly [number, number];
	readonly blockSize: 64;
	readonly valueType: ValueType;
	/** [ceil(rows · columns / 2)], two codes a byte: the first element in the high four bits, a missing last one as the code of 0. */
	readonly packed: Uint8Array;
	/** [ceil(rows · columns / 64)], with double quantisation the restored values. */
	readonly absmax: Float32Array;
	/** How `absmax` is stored, where that is quantised too. */
	readonly double?: DoubleQuantization;
}

export interface FourBitOptions {
	/** Whether absmax is quantised too; default false. */
	readonly doubleQuantization?: boolean;
	/** The type that `values` had before they were widened; default float32. */
	readonly valueType?: ValueType;
}

/** The 16 values of a type by code. */
export function fourBitCodebook(type: FourBitType): Float32Array {
	return type === 'nf4' ? nf4Codebook : fp4Codebook;
}

/**
 * Quantises a row-major matrix: the codes and absmax that bitsandbytes makes. Throws `QUANTIZE_SHAPE`, `QUANTIZE_NOT_FINITE`.
 *
 * `quantizeFourBit(weights, [576, 1536], 'nf4', { doubleQuantization: true })`
 */
export function quantizeFourBit(
	values: Float32Array,
	shape: readonly [number, number],
	type: FourBitType,
	options: FourBitOptions = {},
): QuantizedMatrix4 {
	checkMatrixShape(shape, values.length);
	const table = nearestTable(fourBitCodebook(type));
	const blocks = blockCount(values.length);
	const packed = new Uint8Array(Math.ceil(values.length / 2));
	const absmax = new Float32Array(blocks);
	const codes = new Uint8Array(blockSize);
	for (let block = 0; block < blocks; block++) {
		const start = block * blockSize;
		const end = Math.min(start + blockSize, values.length);
		absmax[block] = quantizeBlock(values, start, end, table, codes, 0);
		// Only a matrix's last block can have an odd end.
		if (end - start < blockSize) codes[end - start] = nearestCode(table, 0);
		for (let index = start; index < end; index += 2) {
			const at = index - start;
			packed[index / 2] = (codes[at]! << 4) | codes[at + 1]!;
		}
	}
	const common = { type, shape, blockSize, valueType: options.valueType ?? 'float32', packed } as const;
	if (!options.doubleQuantization) return { ...common, absmax };
	const double = quantizeAbsmax(absmax);
	return { ...common, absmax: restoreAbsmax(double), double };
}

/** The values that the codes stand for, row-major [rows · columns], each rounded to float32 and then to the value type. */
export function dequantizeFourBit(
	matrix: QuantizedMatrix4,
	target = new Float32Array(matrix.shape[0] * matrix.shape[1]),
): Float32Array<ArrayBuffer> {
	const codebook = fourBitCodebook(matrix.type);
	const { packed, absmax } = matrix;
	const length = matrix.shape[0] * matrix.shape[1];
	for (let block = 0; block < absmax.length; block++) {
		const scale = absmax[block]!;
		const end = Math.min((block + 1) * blockSize, length);
		for (let index = block * blockSize; index < end; index += 2) {
			const byte = packed[index / 2]!;
			target[index] = codebook[byte >> 4]! * scale;
			if (index + 1 < end) target[index + 1] = codebook[byte & 15]! * scale;
		}
	}
	roundInPlace(target, matrix.valueType);
	return target;
}

function roundInPlace(values: Float32Array<ArrayBuffer>, type: ValueType): void {
	if (type === 'bfloat16') widenBfloat16(roundToBfloat16(values), values);
	if (type === 'float16') widenFloat16(roundToFloat16(values), values);
}
