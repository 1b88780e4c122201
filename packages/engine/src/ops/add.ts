import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, record } from './record.ts';

/** a + b of equal shapes: a residual connection. */
export function add(context: Context, a: Tensor, b: Tensor): Tensor {
	expectShape('add', 'b', b, a.shape);
	const sum = allocate(context, a.shape, a.tracked || b.tracked, a.dtype);
	context.backend.add(sum, a, b);
	return record(context, {
		name: 'add',
		output: sum,
		saved: [],
		backward: (gradients, dSum) => {
			gradients.pass(a, dSum);
			gradients.pass(b, dSum);
		},
	});
}
