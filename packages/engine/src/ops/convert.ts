import type { DataType } from '../backends/contract.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { record } from './record.ts';

/** x in another float type, rounded to nearest even where that is narrower; x itself where it lies in it already. */
export function convert(context: Context, x: Tensor, dtype: DataType): Tensor {
	const { backend, arena } = context;
	if (x.dtype === dtype) {
		arena.retain(x);
		return x;
	}
	const y = allocate(context, x.shape, x.tracked, dtype);
	backend.copy(y, x);
	return record(context, {
		name: 'convert',
		output: y,
		saved: [],
		backward: (gradients, dy) => {
			const dx = arena.allocate(x.dtype, x.shape);
			backend.copy(dx, dy);
			gradients.pass(x, dx);
			arena.release(dx);
		},
	});
}
