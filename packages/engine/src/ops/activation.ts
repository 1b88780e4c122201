import type { Activation } from '../backends/contract.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { record } from './record.ts';

/** y = kind(x), element by element: GELU (exact or by tanh), tanh, SiLU. */
export function activation(context: Context, kind: Activation, x: Tensor): Tensor {
	const { backend } = context;
	const y = allocate(context, x.shape, x.tracked, x.dtype);
	backend.activation(kind, y, x);
	return record(context, {
		name: 'activation',
		output: y,
		saved: [x],
		backward: (gradients, dy) => {
			const dx = gradients.into(x);
			if (dx !== undefined) backend.activationBackward(kind, dx, dy, x);
		},
	});
}
