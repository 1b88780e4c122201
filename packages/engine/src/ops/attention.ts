import { type AttentionShape, floatPrecision, type Segments, type View } from '../backends/contract.ts';
import { expectSegments } from '../backends/indices.ts';
import { columnsOf } from '../backends/view.ts';
import type { Gradients } from '../tensor/gradients.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/**
 * out [T, heads × D]: softmax attention inside each segment and to its parent, for q [T, heads × D] and k, v
 * [T, keyValueHeads × D]. Never makes a T × T matrix (Dao et al. 2022).
 */
export function attention(
	context: Context,
	q: Tensor,
	k: Tensor,
	v: Tensor,
	segments: Segments,
	shape: AttentionShape,
): Tensor {
	const { arena } = context;
	const [tokens] = matrixSizes('attention', 'q', q);
	expectShape('attention', 'q', q, [tokens, shape.heads * shape.headDim]);
	expectShape('attention', 'k', k, [tokens, shape.keyValueHeads * shape.headDim]);
	expectShape('attention', 'v', v, [tokens, shape.keyValueHeads * shape.headDim]);
	return attend(context, [q, k, v], { q, k, v }, segments, shape, (gradients, differentiate) => {
		const dq = arena.allocate(q.dtype, q.shape);
		const dk = arena.allocate(k.dtype, k.shape);
		const dv = arena.allocate(v.dtype, v.shape);
		differentiate({ dq, dk, dv });
		gradients.pass(q, dq);
		gradients.pass(k, dk);
		gradients.pass(v, dv);
		for (const view of [dq, dk, dv]) arena.release(view);
	});
}

/**
 * The same where q, k and v are the columns of one matrix [T, (heads + 2 × keyValueHeads) × D] in this order, as a fused
 * projection makes them. Nothing is copied.
 */
export function fusedAttention(
	context: Context,
	qkv: Tensor,
	segments: Segments,
	shape: AttentionShape,
): Tensor {
	const { heads, keyValueHeads, headDim } = shape;
	const [tokens] = matrixSizes('fusedAttention', 'qkv', qkv);
	expectShape('fusedAttention', 'qkv', qkv, [tokens, (heads + 2 * keyValueHeads) * headDim]);
	const keys = heads * headDim; // where the columns of k begin
	const values = keys + keyValueHeads * headDim;
	const split = (view: View) => ({
		q: columnsOf(view, 0, keys), // [T, heads × D]
		k: columnsOf(view, keys, values), // [T, keyValueHeads × D]
		v: columnsOf(view, values, values + keyValueHeads * headDim), // [T, keyValueHeads × D]
	});
	return attend(context, [qkv], split(qkv), segments, shape, (gradients, differentiate) => {
		const dqkv = context.arena.allocate(qkv.dtype, qkv.shape);
		const { q: dq, k: dk, v: dv } = split(dqkv);
		differentiate({ dq, dk, dv });
		gradients.pass(qkv, dqkv);
		context.arena.release(dqkv);
	});
}

type Inputs = Readonly<Record<'q' | 'k' | 'v', View>>;
type InputGradients = Readonly<Record<'dq' | 'dk' | 'dv', View>>;

function attend(
	context: Context,
	inputs: readonly Tensor[],
	{ q, k, v }: Inputs,
	segments: Segments,
	shape: AttentionShape,
	pass: (gradients: Gradients, differentiate: (into: InputGradients) => void) => void,
): Tensor {
	const { backend, arena } = context;
	const [tokens, width] = q.shape as readonly [number, number];
	expectSegments(segments, tokens, shape.causal);
	const tracked = inputs.some((input) => input.tracked);
	const out = allocate(context, [tokens, width], tracked, q.dtype); // [T, heads × D]
	const logSumExp = arena.allocate('f32', [tokens, shape.heads]);
	const options = { ...shape, precision: floatPrecision(context.precision) };
	backend.attention(out, logSumExp, q, k, v, segments, options);
	const { starts, parents } = segments;
	record(context, {
		name: 'attention',
		output: out,
		saved: [...inputs, out, logSumExp, starts, ...(parents === undefined ? [] : [parents])],
		backward: (gradients, dOut) =>
			pass(gradients, (into) =>
				backend.attentionBackward(into, { q, k, v, out, logSumExp, segments }, dOut, options),
			),
	});
	arena.release(logSumExp);
	return out;
}
