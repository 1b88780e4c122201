import { blockCount, blockSize, checkMatrixShape, quantizeBlock } from './blockwise.ts';
import { nearestTable } from './nearest.ts';
import { type QuantileBits, type QuantileReading, quantileCodebook } from './quantile-codebook.ts';

/**
 * Codebooks of k bits from quantiles of the normal distribution, in two constructions:
 * - `quantilek`: equation (1) of the paper as it stands, with both quantiles finite (i = 1 … 2^k - 1): 2^k - 1 values, symmetric
 *   about an exact 0; one of the 2^k codes is never used.
 * - `normalk`: how NF4 is really made, from quantiles at equal steps on each side of an exact 0: 2^k values, one more of them
 *   positive. `normal4` is NF4 but for the seventh digit.
 */
export type QuantileType = `${'quantile' | 'normal'}${QuantileBits}`;

/**
 * A matrix in k-bit codes of a quantile codebook: element i of the flat row-major matrix is codebook[codes[i]] ·
 * absmax[floor(i / 64)]. In memory codes take a byte each, whatever k is: the types exist to compare bit widths, and one layout of
 * the kernels serves all of them; on disk a code takes k bits.
 */
export interface QuantileMatrix {
	readonly type: QuantileType;
	/** [rows, columns] */
	readonly shape: readonly [number, number];
	readonly blockSize: 64;
	/** [rows · columns], each below the codebook's length */
	readonly codes: Uint8Array;
	/** [ceil(rows · columns / 64)] */
	readonly absmax: Float32Array;
	/** [2^k - 1] or [2^k], value by code. */
	readonly codebook: Float32Array;
}

const codebooks = new Map<QuantileType, Float32Array>();

/** The codebook of a type in float32: [2^k - 1] of `quantilek`, [2^k] of `normalk`. */
export function quantileTypeCodebook(type: QuantileType): Float32Array {
	let codebook = codebooks.get(type);
	if (codebook === undefined) {
		const reading: QuantileReading = type.startsWith('normal') ? 'normal_map' : 'finite';
		codebook = Float32Array.from(quantileCodebook(quantileBits(type), reading));
		codebooks.set(type, codebook);
	}
	return codebook;
}

/** k of `quantilek` and `normalk`. */
export function quantileBits(type: QuantileType): QuantileBits {
	return Number(type.slice(-1)) as QuantileBits;
}

/** Quantises a row-major matrix by the rules of `quantizeFourBit`, with another codebook. Throws `QUANTIZE_SHAPE`, `QUANTIZE_NOT_FINITE`. */
export function quantizeQuantile(
	values: Float32Array,
	shape: readonly [number, number],
	type: QuantileType,
): QuantileMatrix {
	checkMatrixShape(shape, values.length);
	const codebook = quantileTypeCodebook(type);
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
