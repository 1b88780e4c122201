import { recomputable } from '../tensor/recompute.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** y [T, H] = x / √(mean x² + epsilon) × weight [H]. (Zhang & Sennrich 2019) */
export function rmsNorm(context: Context, x: Tensor, weight: Tensor, epsilon: number): Tensor {
	const { backend } = context;
	const [tokens, hidden] = matrixSizes('rmsNorm', 'x', x);
	expectShape('rmsNorm', 'weight', weight, [hidden]);
	const rstd = context.arena.allocate('f32', [tokens]);
	const sources = [x, rstd, weight];
	const y = recomputable(
		context,
		allocate(context, x.shape, x.tracked || weight.tracked), // [T, H]
		sources,
		(target) => backend.rmsNorm(target, rstd, x, weight, epsilon),
	);
	backend.rmsNorm(y, rstd, x, weight, epsilon);
	record(context, {
		name: 'rmsNorm',
		output: y,
		saved: sources,
		backward: (gradients, dy) =>
			backend.rmsNormBackward(
				{ dx: gradients.into(x), dWeight: gradients.into(weight) },
				{ x, rstd, weight },
				dy,
			),
	});
	context.arena.release(rstd);
	return y;
}
