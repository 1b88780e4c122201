import { VulntuneError } from '../../errors.ts';
import { philoxInto } from '../../random/philox.ts';
import { seedWords } from '../../random/streams.ts';
import type { DataType, Destination, Dropout, View } from '../contract.ts';
import { describe } from '../view.ts';
import { dataOf, type FloatArray, floatsOf, integersOf } from './memory.ts';
import { storeGradient, storeValues, valuesOf } from './numbers.ts';

const floatTypes: ReadonlySet<DataType> = new Set(['f32', 'bf16', 'f16']);

export function fill(target: View, value: number): void {
	(target.dtype === 'i32' ? integersOf(target) : floatsOf(target)).fill(value);
}

export function copy(target: View, source: View): void {
	if (target.dtype === source.dtype) {
		dataOf(target).set(dataOf(source));
		return;
	}
	if (!floatTypes.has(target.dtype) || !floatTypes.has(source.dtype)) {
		throw new VulntuneError({
			code: 'COPY_TYPE',
			kind: 'runtime',
			message: `only float types are converted by a copy, found ${describe(source)} to ${describe(target)}`,
		});
	}
	storeValues(target, valuesOf(source));
}

export function add(sum: View, a: View, b: View): void {
	const out = floatsOf(sum);
	const left = floatsOf(a);
	const right = floatsOf(b);
	for (let i = 0; i < out.length; i++) out[i] = left[i]! + right[i]!;
}

export function addScaled(target: View, source: View, factor: number): void {
	const out = floatsOf(target);
	const values = floatsOf(source);
	for (let i = 0; i < out.length; i++) out[i]! += factor * values[i]!;
}

export function scale(target: View, factor: number): void {
	const out = floatsOf(target);
	for (let i = 0; i < out.length; i++) out[i]! *= factor;
}

/** target[i] = source[i] / (1 − probability) where element i is kept, else 0; they may be the same array. */
export function dropoutValues(
	target: FloatArray,
	source: FloatArray,
	{ seed, stream, probability }: Dropout,
): void {
	const threshold = Math.round(probability * 2 ** 16);
	const keptScale = 1 / (1 - probability);
	const [key0, key1] = seedWords(seed);
	const words = new Uint32Array(4);
	for (let i = 0; i < source.length; i++) {
		if (i % 8 === 0) philoxInto(words, Math.floor(i / 8), stream, 0, 0, key0, key1);
		const word = words[(i % 8) >>> 1]!;
		const half = i % 2 === 0 ? word & 0xffff : word >>> 16;
		target[i] = half >= threshold ? source[i]! * keptScale : 0;
	}
}

export function dropout(y: View, x: View, options: Dropout): void {
	dropoutValues(floatsOf(y), floatsOf(x), options);
}

export function addBias(y: View, x: View, bias: View): void {
	const out = floatsOf(y); // [M, N]
	const values = floatsOf(x); // [M, N]
	const biases = floatsOf(bias); // [N]
	const n = biases.length;
	for (let start = 0; start < out.length; start += n) {
		for (let j = 0; j < n; j++) out[start + j] = values[start + j]! + biases[j]!;
	}
}

export function biasBackward(dBias: Destination, dy: View): void {
	const values = floatsOf(dy); // [M, N]
	const n = dy.shape[1]!;
	const sums = new Float64Array(n);
	for (let start = 0; start < values.length; start += n) {
		for (let j = 0; j < n; j++) sums[j]! += values[start + j]!;
	}
	storeGradient(dBias, sums);
}

export function sumOfSquares(x: View): number {
	const values = floatsOf(x);
	let sum = 0;
	for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
	return sum;
}
