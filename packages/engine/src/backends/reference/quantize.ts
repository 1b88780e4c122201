import type { View } from '../contract.ts';
import { dataOf, floatsOf } from './memory.ts';
import { valuesOf } from './numbers.ts';

const blockSize = 64;

/** Four-bit codes of the nearest of 16 values, block by block. */
export function quantizeTable4(codes: View, absmax: View, codebook: View, x: View): number {
	const values = valuesOf(x); // [n]
	const [packed, scales] = [dataOf(codes), floatsOf(absmax)];
	const codeOf = nearestIn(floatsOf(codebook));
	for (let start = 0; start < values.length; start += blockSize) {
		const end = Math.min(start + blockSize, values.length);
		let largest = 0;
		for (let i = start; i < end; i++) {
			if (!Number.isFinite(values[i]!)) return i;
			largest = Math.max(largest, Math.abs(values[i]!));
		}
		scales[start / blockSize] = largest;
		const reciprocal = Math.fround(1 / largest);
		// of zeros, or of numbers so small that the reciprocal overflows: the code of 0 throughout
		const inverse = reciprocal === Infinity ? 0 : reciprocal;
		const scaled = (i: number) => (i < end ? Math.fround(values[i]! * inverse) : 0);
		for (let i = start; i < end; i += 2) packed[i / 2] = (codeOf(scaled(i)) << 4) | codeOf(scaled(i + 1));
	}
	return -1;
}

/** Sorted by value, neighbours meet at midpoints rounded to float32; of equal values the lower code comes first. */
function nearestIn(codebook: ArrayLike<number>): (value: number) => number {
	const order = Array.from({ length: codebook.length }, (_, code) => code);
	order.sort((a, b) => codebook[a]! - codebook[b]! || a - b);
	const midpoints = order
		.slice(1)
		.map((code, rank) => Math.fround(codebook[order[rank]!]! + codebook[code]!) / 2);
	return (value) => {
		let rank = 0;
		while (rank < midpoints.length && value > midpoints[rank]!) rank++;
		return order[rank]!;
	};
}
