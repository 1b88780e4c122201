import type { View } from '../backends/contract.ts';
import { recomputable } from '../tensor/recompute.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/**
 * y [T, heads × W] = x / √(mean x² + epsilon) × weight [W], with the mean over each head; one head is the whole state. (Zhang &
 * Sennrich 2019)
 */
export function rmsNorm(context: Context, x: Tensor, weight: Tensor, epsilon: number, heads = 1): Tensor {
	const { backend } = context;
	const [tokens, columns] = matrixSizes('rmsNorm', 'x', x);
	expectShape('rmsNorm', 'weight', weight, [columns / heads]);
	const byHead = (view: View): View => ({ ...view, shape: [tokens * heads, columns / heads] });
	const rstd = context.arena.allocate('f32', [tokens * heads]);
	const sources = [x, rstd, weight];
	const y = recomputable(
		context,
		allocate(context, x.shape, x.tracked || weight.tracked, x.dtype), // [T, heads × W]
		sources,
		(target) => backend.rmsNorm(byHead(target), rstd, byHead(x), weight, epsilon),
	);
	backend.rmsNorm(byHead(y), rstd, byHead(x), weight, epsilon);
	record(context, {
		name: 'rmsNorm',
		output: y,
		saved: sources,
		backward: (gradients, dy) => {
			const dx = gradients.into(x);
			backend.rmsNormBackward(
				{ dx: dx && { ...dx, view: byHead(dx.view) }, dWeight: gradients.into(weight) },
				{ x: byHead(x), rstd, weight },
				byHead(dy),
			);
		},
	});
	context.arena.release(rstd);
	return y;
}
