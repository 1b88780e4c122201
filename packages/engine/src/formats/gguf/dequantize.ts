import {
	dequantizeIq4Nl,
	dequantizeQ40,
	dequantizeQ41,
	dequantizeQ50,
	dequantizeQ51,
	dequantizeQ80,
} from './blocks-of-32.ts';
import {
	dequantizeQ2K,
	dequantizeQ3K,
	dequantizeQ4K,
	dequantizeQ5K,
	dequantizeQ6K,
} from './blocks-of-256.ts';
import type { GgufTensorType } from './tensor-types.ts';

/** Writes the values of the block at byte `at` of `view` to `target` from element `to` on. */
export type DequantizeBlock = (view: DataView, at: number, target: Float32Array, to: number) => void;

const dequantizers: Readonly<Record<string, DequantizeBlock>> = {
	Q4_0: dequantizeQ40,
	Q4_1: dequantizeQ41,
	Q5_0: dequantizeQ50,
	Q5_1: dequantizeQ51,
	Q8_0: dequantizeQ80,
	Q2_K: dequantizeQ2K,
	Q3_K: dequantizeQ3K,
	Q4_K: dequantizeQ4K,
	Q5_K: dequantizeQ5K,
	Q6_K: dequantizeQ6K,
	IQ4_NL: dequantizeIq4Nl,
};

/**
 * The values of whole blocks of a type with codes. Exact: scales are half-precision numbers and codes have at most 8 bits, so that every
 * product fits float32, and each value is what ggml's reference functions make of it, bit for bit.
 */
export function dequantizeBlocks(
	{ name, blockElements, blockBytes }: GgufTensorType,
	stored: Uint8Array,
): Float32Array<ArrayBuffer> {
	const dequantize = dequantizers[name]!;
	const blocks = stored.byteLength / blockBytes;
	const values = new Float32Array(blocks * blockElements);
	const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
	for (let block = 0; block < blocks; block++) {
		dequantize(view, block * blockBytes, values, block * blockElements);
	}
	return values;
}
