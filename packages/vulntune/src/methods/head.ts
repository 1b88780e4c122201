import {
	activation,
	add,
	type Backend,
	type Context,
	hashStream,
	linear,
	normalArray,
	type ParameterSpec,
	type Parameters,
	release,
	type Tensor,
	upload,
} from '@vulntune/engine';
import type { Pack } from '../packing/pack.ts';

/** How a function's states become one: the state of its last or first token, the mean or maximum of all, or both, one behind the other. */
export type Pool = 'last' | 'first' | 'mean' | 'max' | 'meanMax';

/** How wide the state of a function is that a head reads: K. */
export function pooledSize(pool: Pool, hiddenSize: number): number {
	return pool === 'meanMax' ? 2 * hiddenSize : hiddenSize;
}

export interface HeadOptions {
	readonly pool: Pool;
	/** Size of a hidden layer with tanh between the state and the classes; null for none. */
	readonly hidden: number | null;
	/** Whether each class has a bias, as in the heads of BERT and RoBERTa; default false. */
	readonly bias?: boolean;
	/** Whether the head also sees another detector's score of each function; default false. */
	readonly stacked?: boolean;
}

/** Whether PEFT and transformers run a head of these options as it was trained: they pool the last token and know one matrix. */
export function isPeftHead({ pool, hidden, bias = false, stacked = false }: HeadOptions): boolean {
	return pool === 'last' && hidden === null && !bias && !stacked;
}

export const CLASSES = 2;
/** The name under which PEFT stores a sequence classification head. */
export const SCORE = 'score.weight';
export const DENSE_WEIGHT = 'score.dense.weight';
export const DENSE_BIAS = 'score.dense.bias';
export const SCORE_BIAS = 'score.bias';
/** The column of the class logits for a stacked score. */
export const SCORE_STACK = 'score.stack.weight';
/** Standard deviation of fresh head weights: the initialiser of Hugging Face's classification heads. */
const INITIAL_DEVIATION = 0.02;

/** What is trained of the head: `score.weight` [2, K], a hidden layer's weight and bias, a bias of the classes, a stacked score's weights. */
export function headSpecs(
	hiddenSize: number,
	{ pool, hidden, bias = false, stacked = false }: HeadOptions,
): ParameterSpec[] {
	const size = pooledSize(pool, hiddenSize);
	const dense = [
		{ name: DENSE_WEIGHT, shape: [hidden ?? 0, size] },
		{ name: DENSE_BIAS, shape: [hidden ?? 0] },
	];
	return [
		...(hidden === null ? [] : dense),
		{ name: SCORE, shape: [CLASSES, hidden ?? size] },
		...(bias ? [{ name: SCORE_BIAS, shape: [CLASSES] }] : []),
		...(stacked ? [{ name: SCORE_STACK, shape: [CLASSES, 1] }] : []),
	];
}

/**
 * Normal weights, zero bias, drawn from streams of the matrices' names. A stacked score begins as what it is: it adds itself to the log
 * odds, and what the model knows is learnt on top of it.
 */
export function initializeHead(backend: Backend, parameters: Parameters, seed: number): void {
	for (const name of [DENSE_WEIGHT, SCORE]) {
		if (!parameters.has(name)) continue;
		const tensor = parameters.get(name);
		const size = tensor.shape[0]! * tensor.shape[1]!;
		backend.upload(tensor, normalArray(seed, hashStream(name), size, INITIAL_DEVIATION));
	}
	for (const name of [DENSE_BIAS, SCORE_BIAS])
		if (parameters.has(name)) backend.fill(parameters.get(name), 0);
	if (parameters.has(SCORE_STACK)) {
		backend.upload(parameters.get(SCORE_STACK), Float32Array.of(-0.5, 0.5)); // [2, 1]
	}
}

/**
 * Class logits [F, 2] from the states [F, K] of functions. Doesn't release these.
 *
 * @param stackedScores [F], of a stacked head
 */
export function classLogits(
	context: Context,
	parameters: Parameters,
	options: HeadOptions,
	states: Tensor,
	stackedScores?: Float32Array,
): Tensor {
	// the head is tiny and decides alone: it computes in float32 whatever the model does
	const exact: Context = { ...context, precision: 'fp32' };
	const logits = stateLogits(exact, parameters, options, states); // [F, 2]
	if (options.stacked !== true) return logits;
	if (stackedScores === undefined) throw new TypeError('a stacked head needs the scores it was stacked on');
	const scores = upload(exact, stackedScores, [stackedScores.length, 1]); // [F, 1]
	const ofScores = linear(exact, scores, { weight: parameters.get(SCORE_STACK) }); // [F, 2]
	const sum = add(exact, logits, ofScores); // [F, 2]
	release(exact, logits, ofScores);
	return sum;
}

/** What the head makes of the states [F, K] alone: [F, 2]. */
function stateLogits(exact: Context, parameters: Parameters, options: HeadOptions, states: Tensor): Tensor {
	const bias = options.bias === true ? parameters.get(SCORE_BIAS) : undefined; // [2]
	const score = { weight: parameters.get(SCORE), bias };
	if (options.hidden === null) return linear(exact, states, score); // [F, 2]
	const dense = { weight: parameters.get(DENSE_WEIGHT), bias: parameters.get(DENSE_BIAS) };
	const projected = linear(exact, states, dense); // [F, hidden]
	const bounded = activation(exact, 'tanh', projected); // [F, hidden]
	const logits = linear(exact, bounded, score); // [F, 2]
	release(exact, projected, bounded);
	return logits;
}

/** The row [F] of each function that `pool` takes; the separator that closes a function is never it. */
export function pooledRows(pool: 'last' | 'first', pack: Pack): Int32Array {
	if (pool === 'last') return pack.poolPositions;
	// the prefix of a function that shares none begins and ends where the function begins
	return Int32Array.from(pack.poolPositions, (_, f) => pack.prefixRanges[2 * f]!);
}

/** The rows of each function in two ranges [from, to), its prefix and its own: [F, 4] and that shape. */
export function poolRanges(pack: Pack): [Int32Array, [number, number]] {
	const functions = pack.poolPositions.length;
	const ranges = new Int32Array(4 * functions); // [F, 4]
	for (let f = 0; f < functions; f++) {
		const last = pack.poolPositions[f]!;
		// an encoder's first token stands for no part of the function; one without tokens has nothing else
		const start = Math.min(pack.pieceStarts[f]! + pack.leadingLength, Math.max(pack.pieceStarts[f]!, last));
		const own = [start, Math.max(start, last + 1)];
		ranges.set([pack.prefixRanges[2 * f]!, pack.prefixRanges[2 * f + 1]!, ...own], 4 * f);
	}
	return [ranges, [functions, 4]];
}
