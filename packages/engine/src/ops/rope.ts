import type { View } from '../backends/contract.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** cos and sin [T, R/2] of every token's angles. */
export interface Angles {
	readonly cos: View;
	readonly sin: View;
}

/** Rotary position embedding of the first R elements of each head of x [T, heads × D]. (Su et al. 2021, in Hugging Face's order of pairs) */
export function rope(context: Context, x: Tensor, angles: Angles, headDim: number): Tensor {
	const { backend } = context;
	const [tokens] = matrixSizes('rope', 'x', x);
	expectShape('rope', 'cos', angles.cos, [tokens, -1]);
	expectShape('rope', 'sin', angles.sin, [tokens, Math.min(angles.cos.shape[1]!, headDim / 2)]);
	const y = allocate(context, x.shape, x.tracked, x.dtype); // [T, heads × D]
	backend.rope(y, x, angles.cos, angles.sin, headDim, false);
	return record(context, {
		name: 'rope',
		output: y,
		saved: [angles.cos, angles.sin],
		backward: (gradients, dy) => {
			// a rotation's gradient is the rotation back
			const dx = context.arena.allocate(x.dtype, x.shape);
			backend.rope(dx, dy, angles.cos, angles.sin, headDim, true);
			gradients.pass(x, dx);
			context.arena.release(dx);
		},
	});
}
