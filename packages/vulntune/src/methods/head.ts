import {
	activation,
	type Backend,
	type Context,
	gatherRows,
	hashStream,
	linear,
	normalArray,
	type ParameterSpec,
	type Parameters,
	poolRows,
	release,
	type Tensor,
	upload,
} from '@vulntune/engine';
import type { Pack } from '../packing/pack.ts';

/** How a function's states become one: the state of its last or first token, or the mean or maximum of all. */
export type Pool = 'last' | 'first' | 'mean' | 'max';

export interface HeadOptions {
	readonly pool: Pool;
	/** Size of a hidden layer with tanh between the state and the classes; null for none. */
	readonly hidden: number | null;
}

export const CLASSES = 2;
/** The name under which PEFT stores a sequence classification head. */
export const SCORE = 'score.weight';
const DENSE_WEIGHT = 'score.dense.weight';
const DENSE_BIAS = 'score.dense.bias';
/** Standard deviation of fresh head weights: the initialiser of Hugging Face's classification heads. */
const INITIAL_DEVIATION = 0.02;

/** The trainable matrices of the head: `score.weight` [2, H], with a hidden layer also its weight and bias. */
export function headSpecs(hiddenSize: number, options: HeadOptions): ParameterSpec[] {
	if (options.hidden === null) return [{ name: SCORE, shape: [CLASSES, hiddenSize] }];
	return [
		{ name: DENSE_WEIGHT, shape: [options.hidden, hiddenSize] },
		{ name: DENSE_BIAS, shape: [options.hidden] },
		{ name: SCORE, shape: [CLASSES, options.hidden] },
	];
}

/** Normal weights, zero bias, drawn from streams of the matrices' names. */
export function initializeHead(backend: Backend, parameters: Parameters, seed: number): void {
	for (const name of [DENSE_WEIGHT, SCORE]) {
		if (!parameters.has(name)) continue;
		const tensor = parameters.get(name);
		const size = tensor.shape[0]! * tensor.shape[1]!;
		backend.upload(tensor, normalArray(seed, hashStream(name), size, INITIAL_DEVIATION));
	}
	if (parameters.has(DENSE_BIAS)) backend.fill(parameters.get(DENSE_BIAS), 0);
}

/** Class logits [F, 2] of every function of a pack from its hidden states [T, H]. */
export function classLogits(
	context: Context,
	parameters: Parameters,
	options: HeadOptions,
	hidden: Tensor,
	pack: Pack,
): Tensor {
	// the head is tiny and decides alone: it computes in float32 whatever the model does
	const exact: Context = { ...context, precision: 'fp32' };
	const pooled = poolFunctions(exact, options.pool, hidden, pack); // [F, H]
	const score = { weight: parameters.get(SCORE) };
	if (options.hidden === null) {
		const logits = linear(exact, pooled, score); // [F, 2]
		release(exact, pooled);
		return logits;
	}
	const dense = { weight: parameters.get(DENSE_WEIGHT), bias: parameters.get(DENSE_BIAS) };
	const projected = linear(exact, pooled, dense); // [F, hidden]
	const bounded = activation(exact, 'tanh', projected); // [F, hidden]
	const logits = linear(exact, bounded, score); // [F, 2]
	release(exact, pooled, projected, bounded);
	return logits;
}

/** One state [F, H] per function of the pack; the separator that closes a function has no part in it. */
export function poolFunctions(context: Context, pool: Pool, hidden: Tensor, pack: Pack): Tensor {
	if (pool === 'last') return gatherRows(context, hidden, upload(context, pack.poolPositions));
	const functions = pack.poolPositions.length;
	const prefixOf = (f: number) => [pack.prefixRanges[2 * f]!, pack.prefixRanges[2 * f + 1]!] as const;
	if (pool === 'first') {
		// the prefix of a function that shares none begins and ends where the function begins
		const firsts = Int32Array.from({ length: functions }, (_, f) => prefixOf(f)[0]); // [F]
		return gatherRows(context, hidden, upload(context, firsts));
	}
	const ranges = new Int32Array(4 * functions); // [F, 4]
	for (let f = 0; f < functions; f++) {
		const start = pack.segmentStarts[f]!;
		ranges.set([...prefixOf(f), start, Math.max(start, pack.poolPositions[f]! + 1)], 4 * f);
	}
	return poolRows(context, pool, hidden, upload(context, ranges, [functions, 4]));
}
