import { blockCount, quantizeBlock } from './blockwise.ts';
import { dynamicCodebook } from './codebooks.ts';
import { nearestTable } from './nearest.ts';

/** Absmax values that share one nested absmax. */
export const nestedBlockSize = 256;

/**
 * Absmax values quantised in their turn (QLoRA, section 3, "double quantization"): absmax[i] = map[codes[i]] · nestedAbsmax[floor(i / 256)] + offset,
 * both steps rounded to float32. 8 bits and 32/256 for a block instead of 32: 0.127 bits an element instead of 0.5.
 */
export interface DoubleQuantization {
	/**
	 * The mean of the absmax values in float32, subtracted before quantising. bitsandbytes' own may differ in the last place,
	 * where PyTorch's order of summation decides.
	 */
	readonly offset: number;
	/** [blocks] */
	readonly codes: Uint8Array;
	/** [ceil(blocks / 256)] */
	readonly nestedAbsmax: Float32Array;
	readonly nestedBlockSize: 256;
	/** [256], value by code: the dynamic map, or what a checkpoint brought in its place. */
	readonly map: Float32Array;
}

/** Quantises absmax values [blocks], by default about their mean. */
export function quantizeAbsmax(absmax: Float32Array, offset: number = meanOf(absmax)): DoubleQuantization {
	const map = dynamicCodebook();
	const table = nearestTable(map);
	const codes = new Uint8Array(absmax.length);
	const nestedAbsmax = new Float32Array(blockCount(absmax.length, nestedBlockSize));
	const centred = new Float32Array(nestedBlockSize);
	for (let block = 0; block < nestedAbsmax.length; block++) {
		const start = block * nestedBlockSize;
		const count = Math.min(nestedBlockSize, absmax.length - start);
		for (let index = 0; index < count; index++) centred[index] = absmax[start + index]! - offset;
		nestedAbsmax[block] = quantizeBlock(centred, 0, count, table, codes, start);
	}
	return { offset, codes, nestedAbsmax, nestedBlockSize, map };
}

// A loop: of large matrices `reduce` takes ten times as long.
function meanOf(values: Float32Array): number {
	let sum = 0;
	for (let index = 0; index < values.length; index++) sum += values[index]!;
	return Math.fround(sum / values.length);
}

/** The absmax values [blocks] that the codes stand for. */
export function restoreAbsmax(double: DoubleQuantization): Float32Array {
	const { codes, map, nestedAbsmax, offset } = double;
	const absmax = new Float32Array(codes.length);
	for (let block = 0; block < nestedAbsmax.length; block++) {
		const nested = nestedAbsmax[block]!;
		const end = Math.min((block + 1) * nestedBlockSize, codes.length);
		for (let index = block * nestedBlockSize; index < end; index++) {
			absmax[index] = Math.fround(map[codes[index]!]! * nested) + offset;
		}
	}
	return absmax;
}
