import { blockCount, blockSize, checkMatrixShape, quantizeBlock } from './blockwise.ts';
import { nearestTable } from './nearest.ts';
import { type QuantileBits, quantileCodebook } from './quantile-codebook.ts';

export type QuantileType = `quantile${QuantileBits}`;

/**
 * A matrix in k-bit codes of a quantile codebook: element i of the flat row-major matrix is codebook[codes[i]] ·
 * absmax[floor(i / 64)]. Codes take a byte each, whatever k is: the types exist to compare bit widths, and one layout
 * serves all of them; only nf4 and fp4 save the memory.
 */
export interface QuantileMatrix {
	readonly type: QuantileType;
	/** [rows, columns] */
	readonly shape: readonly [number, number];
	readonly blockSize: 64;
	/** [rows · columns], each below 2^k */
	readonly codes: Uint8Array;
	/** [ceil(rows · columns / 64)] */
	readonly absmax: Float32Array;
	/** [2^k], value by code. */
	readonly codebook: Float32Array;
}

const codebooks = new Map<QuantileBits, Float32Array>();

/**
 * The codebook of `quantile2` … `quantile8` in float32, [2^k]: the reading `normal_map`, the only one with exactly 2^k values,
 * so that k bits are used in full, and NF4's own construction (k = 4 is NF4 but for the seventh digit).
 */
export function quantileTypeCodebook(bits: QuantileBits): Float32Array {
	let codebook = codebooks.get(bits);
	if (codebook === undefined) {
		codebook = Float32Array.from(quantileCodebook(bits, 'normal_map'));
		codebooks.set(bits, codebook);
	}
	return codebook;
}

/** k of `quantilek`. */
export function quantileBits(type: QuantileType): QuantileBits {
	return Number(type.slice('quantile'.length)) as QuantileBits;
}

/** Quantises a row-major matrix by the rules of `quantizeFourBit`, with another codebook. Throws `QUANTIZE_SHAPE`, `QUANTIZE_NOT_FINITE`. */
export function quantizeQuantile(
	values: Float32Array,
	shape: readonly [number, number],
	type: QuantileType,
): QuantileMatrix {
	checkMatrixShape(shape, values.length);
	const codebook = quantileTypeCodebook(quantileBits(type));
	const table = nearestTable(codebook);
	const codes = new Uint8Array(values.length);
	const absmax = new Float32Array(blockCount(values.length));
	for (let block = 0; block < absmax.length; block++) {
		const start = block * blockSize;
		const end = Math.min(start + blockSize, values.length);
		absmax[block] = quantizeBlock(values, start, end, table, codes, start);
	}
	return { type, shape, blockSize, codes, absmax, codebook };
}

/** The values that the codes stand for, row-major [rows · columns]. */
export function dequantizeQuantile(
	matrix: QuantileMatrix,
	target = new Float32Array(matrix.codes.length),
): Float32Array<ArrayBuffer> {
	const { codes, absmax, codebook } = matrix;
	for (let block = 0; block < absmax.length; block++) {
		const scale = absmax[block]!;
		const end = Math.min((block + 1) * blockSize, codes.length);
		for (let index = block * blockSize; index < end; index++)
			target[index] = codebook[codes[index]!]! * scale;
	}
	return target;
}
