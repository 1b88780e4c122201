import type { AttentionShape, Segments } from '../backends/contract.ts';
import { expectSegments } from '../backends/indices.ts';
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
	const { backend, arena } = context;
	const [tokens] = matrixSizes('attention', 'q', q);
	expectSegments(segments, tokens, shape.causal);
	expectShape('attention', 'q', q, [tokens, shape.heads * shape.headDim]);
	expectShape('attention', 'k', k, [tokens, shape.keyValueHeads * shape.headDim]);
	expectShape('attention', 'v', v, [tokens, shape.keyValueHeads * shape.headDim]);
	const out = allocate(context, q.shape, q.tracked || k.tracked || v.tracked); // [T, heads × D]
	const logSumExp = arena.allocate('f32', [tokens, shape.heads]);
	backend.attention(out, logSumExp, q, k, v, segments, shape);
	const { starts, parents } = segments;
	record(context, {
		name: 'attention',
		output: out,
		saved: [q, k, v, out, logSumExp, starts, ...(parents === undefined ? [] : [parents])],
		backward: (gradients, dOut) => {
			const dq = arena.allocate('f32', q.shape);
			const dk = arena.allocate('f32', k.shape);
			const dv = arena.allocate('f32', v.shape);
			backend.attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape);
			gradients.pass(q, dq);
			gradients.pass(k, dk);
			gradients.pass(v, dv);
			arena.release(dq);
			arena.release(dk);
			arena.release(dv);
		},
	});
	arena.release(logSumExp);
	return out;
}
