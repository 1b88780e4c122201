import type { View } from '../contract.ts';
import { floatsOf } from './memory.ts';

export function rope(y: View, x: View, cos: View, sin: View, headDim: number, inverse: boolean): void {
	const out = floatsOf(y); // [T, heads × D]
	const values = floatsOf(x); // [T, heads × D]
	const cosines = floatsOf(cos); // [T, R/2]
	const sines = floatsOf(sin); // [T, R/2]
	const [tokens, half] = [cos.shape[0]!, cos.shape[1]!];
	const rowLength = values.length / tokens;
	const direction = inverse ? -1 : 1;
	for (let t = 0; t < tokens; t++) {
		const angles = t * half;
		for (let start = t * rowLength; start < (t + 1) * rowLength; start += headDim) {
			for (let i = 0; i < half; i++) {
				const cosine = cosines[angles + i]!;
				const sine = direction * sines[angles + i]!;
				const first = values[start + i]!;
				const second = values[start + half + i]!;
				out[start + i] = first * cosine - second * sine;
				out[start + half + i] = second * cosine + first * sine;
			}
			for (let i = 2 * half; i < headDim; i++) out[start + i] = values[start + i]!;
		}
	}
}
