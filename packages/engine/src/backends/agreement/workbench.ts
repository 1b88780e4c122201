import { roundToBfloat16, widenBfloat16 } from '../../formats/floats.ts';
import type {
	Backend,
	DataType,
	HostArray,
	Indices,
	Precision,
	Ranges,
	Segments,
	Targets,
	View,
} from '../contract.ts';
import { indicesOf, rangesOf, segmentsOf, targetsOf } from '../indices.ts';
import { type Draw, drawFromPool } from '../testing/tensors.ts';
import { elements, viewOf } from '../view.ts';

/** Unwritten memory and a margin around every tensor hold this: NaN in float types, so that a stray read shows. */
const poison = { f32: Number.NaN, bf16: 0x7fff, f16: 0x7fff, i32: -7_777_777, u8: 0xaa, i8: -86 } as const;
/** Odd, so that no tensor of a case is aligned by accident. */
const margin = 19;

function poisoned(dtype: DataType, length: number): HostArray {
	switch (dtype) {
		case 'f32':
			return new Float32Array(length).fill(poison.f32);
		case 'bf16':
		case 'f16':
			return new Uint16Array(length).fill(poison[dtype]);
		case 'i32':
			return new Int32Array(length).fill(poison.i32);
		case 'u8':
			return new Uint8Array(length).fill(poison.u8);
		case 'i8':
			return new Int8Array(length).fill(poison.i8);
	}
}

/** Where a case makes its tensors, the same on every backend. */
export interface Workbench {
	readonly backend: Backend;
	readonly draw: Draw;
	/** A tensor with these values, of the type of the array or as named. */
	readonly input: (shape: readonly number[], values: HostArray, dtype?: DataType) => View;
	/** An `f32` tensor of normal numbers. */
	readonly normal: (shape: readonly number[], std?: number) => View;
	/** The same in the type that activations have in this run. */
	readonly activation: (shape: readonly number[], std?: number) => View;
	/** Activations with these values, rounded to their type. */
	readonly activationOf: (shape: readonly number[], values: Float32Array) => View;
	/** Rows or classes [R]. */
	readonly indices: (values: ArrayLike<number>) => Indices;
	/** Classes [R], −100 for none. */
	readonly targets: (values: ArrayLike<number>) => Targets;
	/** Ranges of rows [F, 2R]. */
	readonly ranges: (shape: readonly [number, number], values: ArrayLike<number>) => Ranges;
	readonly segments: (starts: readonly number[], parents?: readonly number[]) => Segments;
	/** A tensor whose content is compared at the end; unwritten unless it starts with values. */
	readonly output: (
		name: string,
		shape: readonly number[],
		start?: HostArray | undefined,
		dtype?: DataType,
	) => View;
	/** The same of activations. */
	readonly result: (name: string, shape: readonly number[], start?: Float32Array) => View;
	/** Compares numbers that are no tensor, or a part of one. */
	readonly record: (name: string, values: ArrayLike<number>) => void;
}

export type Outputs = ReadonlyMap<string, HostArray>;

/** In what type a run's activations lie. */
export type ActivationType = ReturnType<Backend['activationType']>;

/**
 * Runs a case on a backend and gives what its outputs hold, activations as floats. Throws if a kernel wrote outside of its tensors. All
 * memory is freed.
 */
export function runOn(
	backend: Backend,
	seed: number,
	run: (bench: Workbench) => void,
	activations: ActivationType = 'f32',
): Outputs {
	const views: View[] = [];
	const outputs = new Map<string, View>();
	const results = new Map<string, HostArray>();
	/** Those of the outputs that are activations. */
	const found = new Set<View>();
	const draw = drawFromPool(seed);

	function place(shape: readonly number[], dtype: DataType, values: HostArray | undefined): View {
		const length = elements(shape);
		const buffer = backend.allocate(dtype, length + 2 * margin);
		const whole = poisoned(dtype, length + 2 * margin);
		if (values !== undefined) whole.set(values, margin);
		backend.upload(viewOf(buffer, [whole.length]), whole);
		const view = viewOf(buffer, shape, margin);
		views.push(view);
		return view;
	}

	function checkMargins(view: View): void {
		const whole = backend.download(viewOf(view.buffer, [view.buffer.length]));
		const expected = poison[view.dtype];
		const end = whole.length - margin;
		for (let i = 0; i < margin; i++) {
			if (Object.is(whole[i], expected) && Object.is(whole[end + i], expected)) continue;
			throw new Error(`a kernel wrote outside of a tensor of shape [${view.shape.join(', ')}]`);
		}
	}

	const rounded = (values: Float32Array) => (activations === 'bf16' ? roundToBfloat16(values) : values);
	const activationOf = (shape: readonly number[], values: Float32Array) =>
		place(shape, activations, rounded(values));
	const integers = (values: ArrayLike<number>, shape: readonly number[] = [values.length]) =>
		place(shape, 'i32', Int32Array.from(values));
	run({
		backend,
		draw,
		input: (shape, values, dtype = typeOf(values)) => place(shape, dtype, values),
		normal: (shape, std) => place(shape, 'f32', draw.normal(elements(shape), std)),
		activation: (shape, std) => activationOf(shape, draw.normal(elements(shape), std)),
		activationOf,
		indices: (values) => indicesOf(integers(values), values),
		targets: (values) => targetsOf(integers(values), values),
		ranges: (shape, values) => rangesOf(integers(values, shape), values),
		segments: (starts, parents) =>
			segmentsOf({ starts: integers(starts), parents: parents && integers(parents) }, starts, parents),
		output(name, shape, start, dtype = start === undefined ? 'f32' : typeOf(start)) {
			const view = place(shape, dtype, start);
			outputs.set(name, view);
			return view;
		},
		result(name, shape, start) {
			const view = place(shape, activations, start && rounded(start));
			outputs.set(name, view);
			found.add(view);
			return view;
		},
		record: (name, values) => results.set(name, Float64Array.from(values)),
	});
	for (const view of views) checkMargins(view);
	for (const [name, view] of outputs) {
		const values = backend.download(view);
		const isNarrow = found.has(view) && activations === 'bf16';
		results.set(name, isNarrow ? widenBfloat16(values as Uint16Array) : values);
	}
	for (const view of views) backend.free(view.buffer);
	return results;
}

function typeOf(values: HostArray): DataType {
	if (values instanceof Float32Array) return 'f32';
	if (values instanceof Int32Array) return 'i32';
	if (values instanceof Uint8Array) return 'u8';
	if (values instanceof Int8Array) return 'i8';
	throw new TypeError(`a ${values.constructor.name} needs its type named`);
}

export interface AgreementCase {
	readonly name: string;
	/** What the backend must have for this case. */
	readonly kernels: readonly (keyof Backend)[];
	/** Largest distance from the reference, relative to the norm, of outputs in float32; others must be equal. */
	readonly tolerance: number;
	readonly run: (bench: Workbench) => void;
	/** In what type its activations lie, f32 by default. */
	readonly activations?: ActivationType;
	/** What a machine without bfloat16 arithmetic computes instead, if that differs: the same in fp32. */
	readonly withoutBfloat16?: (bench: Workbench) => void;
}

/** fp32 kernels against float64 sums. */
export const fp32Tolerance = 1e-5;
/** Several bf16 products in a row: what lies between them is rounded again, and may fall to the other side. */
export const bf16Tolerance = 1e-2;

/** Two operands in float16, each rounded by up to 2⁻¹¹, against what is not rounded: a product of a few numbers may have all of it. */
export const float16Tolerance = 2 ** -10;

/** A case for a run that depends on the precision; a bf16 one may also be computed in fp32. */
export function inPrecision<Used extends Precision>(
	precision: Used,
	run: (bench: Workbench, precision: Used | 'fp32') => void,
): Pick<AgreementCase, 'run' | 'withoutBfloat16'> {
	const asNamed = (bench: Workbench) => run(bench, precision);
	return precision === 'bf16'
		? { run: asNamed, withoutBfloat16: (bench) => run(bench, 'fp32') }
		: { run: asNamed };
}
