import {
	type Backend,
	elements,
	normalArray,
	quantizeFourBit,
	roundToBfloat16,
	type Segments,
	type Targets,
	type View,
	viewOf,
	viewsOf,
	type Weight,
} from '@vulntune/engine';
import { segmentsOf, targetsOf } from '@vulntune/engine/backends/indices.ts';
import { uploadQuantized } from '@vulntune/engine/models/frozen-weights.ts';

/** Drawn once and repeated: the speed of a kernel doesn't depend on which numbers these are. */
const pool = normalArray(1, 1, 1 << 16, 0.05);

/** Normal numbers with deviation 0.05. */
export function randomNumbers(length: number): Float32Array {
	const values = new Float32Array(length);
	for (let start = 0; start < length; start += pool.length) {
		values.set(pool.subarray(0, Math.min(pool.length, length - start)), start);
	}
	return values;
}

const pool16 = roundToBfloat16(pool);

/** The same numbers in bfloat16. */
export function randomBfloat16(length: number): Uint16Array<ArrayBuffer> {
	const values = new Uint16Array(length);
	for (let start = 0; start < length; start += pool16.length) {
		values.set(pool16.subarray(0, Math.min(pool16.length, length - start)), start);
	}
	return values;
}

/** Makes tensors on a backend and frees them together. */
export interface Tensors {
	/** f32, random. */
	random(...shape: number[]): View;
	/** Classes. */
	targets(values: Int32Array): Targets;
	segments(starts: Int32Array): Segments;
	weight(type: WeightType, shape: readonly [number, number]): Weight;
	free(): void;
}

export type WeightType = 'f32' | 'bf16' | 'nf4';

export function tensorsOn(backend: Backend): Tensors {
	const views: View[] = [];
	const place = (dtype: View['dtype'], shape: readonly number[], data: ArrayBufferView): View => {
		const view = viewOf(backend.allocate(dtype, elements(shape)), shape);
		backend.upload(view, data);
		views.push(view);
		return view;
	};
	return {
		random: (...shape) => place('f32', shape, randomNumbers(elements(shape))),
		targets: (values) => targetsOf(place('i32', [values.length], values), values),
		segments: (starts) => segmentsOf({ starts: place('i32', [starts.length], starts) }, starts),
		weight(type, shape) {
			const values = randomNumbers(elements(shape));
			if (type === 'f32') return place('f32', shape, values);
			if (type === 'bf16') return place('bf16', shape, roundToBfloat16(values));
			const quantized = quantizeFourBit(values, shape, 'nf4', { doubleQuantization: false });
			const weight = uploadQuantized(backend, quantized);
			views.push(...viewsOf(weight));
			return weight;
		},
		free() {
			for (const { buffer } of views) backend.free(buffer);
		},
	};
}
