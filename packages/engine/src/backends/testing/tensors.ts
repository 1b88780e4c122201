import { normalArray, uniform, uniformArray } from '../../random/streams.ts';
import type { Backend, DataType, Indices, Ranges, Segments, Targets, View } from '../contract.ts';
import { indicesOf, rangesOf, segmentsOf, targetsOf } from '../indices.ts';
import { elements, viewOf } from '../view.ts';

/** Memory of this shape that nobody has written. */
export function emptyTensor(backend: Backend, shape: readonly number[], dtype: DataType = 'f32'): View {
	return viewOf(backend.allocate(dtype, elements(shape)), shape);
}

/** An `f32` tensor with these values. */
export function tensor(backend: Backend, shape: readonly number[], values: ArrayLike<number>): View {
	const view = emptyTensor(backend, shape);
	backend.upload(view, Float32Array.from(values));
	return view;
}

/** An `i32` tensor with these values. */
export function integerTensor(backend: Backend, shape: readonly number[], values: ArrayLike<number>): View {
	const view = emptyTensor(backend, shape, 'i32');
	backend.upload(view, Int32Array.from(values));
	return view;
}

/** Rows or classes [R]. */
export function indexTensor(backend: Backend, values: ArrayLike<number>): Indices {
	return indicesOf(integerTensor(backend, [values.length], values), values);
}

/** Classes [R], −100 for none. */
export function targetTensor(backend: Backend, values: ArrayLike<number>): Targets {
	return targetsOf(integerTensor(backend, [values.length], values), values);
}

/** Ranges of rows [F, 2R]. */
export function rangeTensor(
	backend: Backend,
	shape: readonly [number, number],
	values: ArrayLike<number>,
): Ranges {
	return rangesOf(integerTensor(backend, shape, values), values);
}

/** Segments from their boundaries and parents. */
export function segmentTensors(
	backend: Backend,
	starts: readonly number[],
	parents?: readonly number[],
): Segments {
	const views = {
		starts: integerTensor(backend, [starts.length], starts),
		parents: parents && integerTensor(backend, [parents.length], parents),
	};
	return segmentsOf(views, starts, parents);
}

/** What a tensor holds, as numbers. */
export function numbersOf(backend: Backend, view: View): number[] {
	return Array.from(backend.download(view));
}

/** Draws arrays that differ from call to call and are the same in every run. */
export interface Draw {
	/** Normal numbers. */
	normal(length: number, std?: number): Float32Array;
	/** Whole numbers from 0 to bound − 1. */
	integers(length: number, bound: number): Int32Array;
}

export function drawFrom(seed: number): Draw {
	let stream = 0;
	return {
		normal: (length, std = 1) => normalArray(seed, stream++, length, std),
		integers: (length, bound) =>
			Int32Array.from(uniformArray(seed, stream++, length), (u) =>
				Math.min(bound - 1, Math.floor(u * bound)),
			),
	};
}

let pool: Float32Array | undefined;

/** Normal numbers cut from a pool that is made once, for suites that draw millions of them again and again. */
export function drawFromPool(seed: number): Draw {
	pool ??= normalArray(1, 0, 2 ** 17);
	const numbers = pool;
	let stream = 0;
	return {
		normal(length, std = 1) {
			const start = Math.floor(uniform(seed, stream++, 0) * numbers.length);
			const values = new Float32Array(length);
			for (let i = 0; i < length; i++) values[i] = std * numbers[(start + i) % numbers.length]!;
			return values;
		},
		integers(length, bound) {
			const start = Math.floor(uniform(seed, stream++, 0) * numbers.length);
			const values = new Int32Array(length);
			for (let i = 0; i < length; i++) {
				// The later digits of a normal number are as good as uniform.
				const fraction = (Math.abs(numbers[(start + i) % numbers.length]!) * 4096) % 1;
				values[i] = Math.floor(fraction * bound);
			}
			return values;
		},
	};
}

/** ‖found − expected‖ / ‖expected‖; the plain distance where nothing is expected. NaN anywhere gives NaN. */
export function relativeDistance(found: ArrayLike<number>, expected: ArrayLike<number>): number {
	if (found.length !== expected.length) return Number.NaN;
	let squares = 0;
	let norm = 0;
	for (let i = 0; i < expected.length; i++) {
		squares += (found[i]! - expected[i]!) ** 2;
		norm += expected[i]! ** 2;
	}
	return Math.sqrt(norm === 0 ? squares : squares / norm);
}
