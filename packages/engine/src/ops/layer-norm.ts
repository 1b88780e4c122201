import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** y [T, H] = (x − mean) / √(variance + epsilon) × weight [H] + bias [H]. (Ba et al. 2016) */
export function layerNorm(
	context: Context,
	x: Tensor,
	weight: Tensor,
	bias: Tensor | undefined,
	epsilon: number,
): Tensor {
	const { backend, arena } = context;
	const [tokens, hidden] = matrixSizes('layerNorm', 'x', x);
	expectShape('layerNorm', 'weight', weight, [hidden]);
	if (bias !== undefined) expectShape('layerNorm', 'bias', bias, [hidden]);
	const tracked = x.tracked || weight.tracked || bias?.tracked === true;
	const y = allocate(context, x.shape, tracked, x.dtype); // [T, H]
	const mean = arena.allocate('f32', [tokens]);
	const rstd = arena.allocate('f32', [tokens]);
	backend.layerNorm(y, mean, rstd, x, weight, bias, epsilon);
	record(context, {
		name: 'layerNorm',
		output: y,
		saved: [x, mean, rstd, weight],
		backward: (gradients, dy) =>
			backend.layerNormBackward(
				{
					dx: gradients.into(x),
					dWeight: gradients.into(weight),
					dBias: bias === undefined ? undefined : gradients.into(bias),
				},
				{ x, mean, rstd, weight },
				dy,
			),
	});
	arena.release(mean);
	arena.release(rstd);
	return y;
}
