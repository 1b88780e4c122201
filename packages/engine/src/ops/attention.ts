import type { AttentionShape, View } from '../backends/contract.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** Boundaries of the segments that attend to themselves alone. */
export interface Segments {
	/** i32 [S + 1], ascending from 0 to T. */
	readonly starts: View;
	/** Tokens of the longest. */
	readonly longest: number;
}

/**
 * out [T, heads × D]: softmax attention inside each segment, for q [T, heads × D] and k, v [T, keyValueHeads × D].
 * Never makes a T × T matrix (Dao et al. 2022).
 */
export function attention(
	context: Context,
	q: Tensor,
	k: Tensor,
	v: Tensor,
	segments: Segments,
	options: Omit<AttentionShape, 'longestSegment'>,
): Tensor {
	const { backend, arena } = context;
	const [tokens] = matrixSizes('attention', 'q', q);
	expectShape('attention', 'q', q, [tokens, options.heads * options.headDim]);
	expectShape('attention', 'k', k, [tokens, options.keyValueHeads * options.headDim]);
	expectShape('attention', 'v', v, [tokens, options.keyValueHeads * options.headDim]);
	const shape: AttentionShape = { ...options, longestSegment: segments.longest };
	const out = allocate(context, q.shape, q.tracked || k.tracked || v.tracked); // [T, heads × D]
	const logSumExp = arena.allocate('f32', [tokens, options.heads]);
	backend.attention(out, logSumExp, q, k, v, segments.starts, shape);
	record(context, {
		name: 'attention',
		output: out,
		saved: [q, k, v, out, logSumExp, segments.starts],
		backward: (gradients, dOut) => {
			const dq = arena.allocate('f32', q.shape);
			const dk = arena.allocate('f32', k.shape);
			const dv = arena.allocate('f32', v.shape);
			backend.attentionBackward(
				{ dq, dk, dv },
				{ q, k, v, out, logSumExp, segmentStarts: segments.starts },
				dOut,
				shape,
			);
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
