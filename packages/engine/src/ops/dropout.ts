import type { Dropout } from '../backends/contract.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
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

/** The mask of one place in the model for this micro-batch; undefined outside training. */
export function dropoutAt(context: Context, probability: number, site: number): Dropout | undefined {
	if (context.dropoutSeed === undefined || probability === 0) return undefined;
	return { seed: context.dropoutSeed, stream: site, probability };
}
