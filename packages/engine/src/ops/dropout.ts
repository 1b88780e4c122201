import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { dropoutAt } from './linear.ts';
import { record } from './record.ts';

/** Zeroes a share of x in training and scales the rest up; x itself otherwise. (Srivastava et al. 2014) */
export function dropout(context: Context, x: Tensor, probability: number, site: number): Tensor {
	const { backend, arena } = context;
	const mask = dropoutAt(context, probability, site);
	if (mask === undefined) {
		arena.retain(x);
		return x;
	}
	const y = allocate(context, x.shape, x.tracked, x.dtype);
	backend.dropout(y, x, mask);
	return record(context, {
		name: 'dropout',
		output: y,
		saved: [],
		backward: (gradients, dy) => {
			const dx = arena.allocate(x.dtype, x.shape);
			backend.dropout(dx, dy, mask);
			gradients.pass(x, dx);
			arena.release(dx);
		},
	});
}
