import type { Backend, DataType, Precision, View } from '../backends/contract.ts';
import { floatPrecision } from '../backends/contract.ts';
import { rowsOf } from '../backends/view.ts';
import { allocateTogether } from './allocate-together.ts';
import type { Arena } from './arena.ts';
import type { Recipe } from './recompute.ts';
import type { Tape } from './tape.ts';

/** A view that autodiff knows: its identity is what gradients are collected under. */
export interface Tensor extends View {
	/** Whether a gradient flows to it: it is trainable, or made from something that is. */
	readonly tracked: boolean;
	/** Where the gradient of a trainable parameter adds up over a step; undefined for everything else. */
	readonly gradient: View | undefined;
	/** How to make it again, where that is cheaper than to keep it for the backward pass. */
	readonly recipe?: Recipe;
}

/** What a forward pass needs to know of its surroundings. Plain values; a model never reads configuration. */
export interface Context {
	readonly backend: Backend;
	/** Arithmetic of matrix products; `int8` is for those with a frozen weight, see `floatPrecision`. */
	readonly precision: Precision;
	/** Owns every intermediate tensor of the pass. */
	readonly arena: Arena;
	/** Records what the backward pass needs; undefined where no gradient is wanted. */
	readonly tape: Tape | undefined;
	/** Seed of this micro-batch's dropout masks; undefined outside training. */
	readonly dropoutSeed: number | undefined;
}

/** A tensor without gradient over existing memory: frozen weights, ids, boundaries. */
export function constant(view: View): Tensor {
	return { ...view, tracked: false, gradient: undefined };
}

/** Rows [from, to) of a tensor, with those of its gradient: what is trained of them is trained in it. */
export function tensorRows(tensor: Tensor, from: number, to: number): Tensor {
	const { gradient } = tensor;
	return {
		...tensor,
		...rowsOf(tensor, from, to),
		gradient: gradient === undefined ? undefined : rowsOf(gradient, from, to),
	};
}

/** New uninitialised memory of the pass: activations, unless another type is named. */
export function allocate(
	context: Context,
	shape: readonly number[],
	tracked: boolean,
	dtype: DataType = context.backend.activationType(floatPrecision(context.precision)),
): Tensor {
	return { ...context.arena.allocate(dtype, shape), tracked, gradient: undefined };
}

/** Copies host data into memory of the pass. */
export function upload(
	context: Context,
	data: Float32Array | Int32Array,
	shape: readonly number[] = [data.length],
): Tensor {
	const dtype = data instanceof Int32Array ? 'i32' : 'f32';
	const tensor = allocate(context, shape, false, dtype);
	context.backend.upload(tensor, data);
	return tensor;
}

/** Copies host data into memory that the caller owns and frees with `backend.free(tensor.buffer)`. */
export function uploadOwned(
	backend: Backend,
	data: ArrayBufferView,
	shape: readonly number[],
	dtype: DataType,
): Tensor {
	return allocateTogether(backend, (allocate) => {
		const view = allocate(dtype, shape);
		backend.upload(view, data);
		return constant(view);
	});
}

/** Says that the caller needs a tensor no longer; the tape may still hold it. */
export function release(context: Context, ...tensors: readonly View[]): void {
	for (const tensor of tensors) context.arena.release(tensor);
}
