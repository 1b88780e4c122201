import { rowsOf } from '../backends/view.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** [A + B, W]: the rows of a [A, W], then those of b [B, W], both of one type. */
export function concatRows(context: Context, a: Tensor, b: Tensor): Tensor {
	const { backend } = context;
	const [above, width] = matrixSizes('concatRows', 'a', a);
	const [below] = matrixSizes('concatRows', 'b', b);
	expectShape('concatRows', 'b', b, [below, width]);
	const y = allocate(context, [above + below, width], a.tracked || b.tracked, a.dtype); // [A + B, W]
	backend.copy(rowsOf(y, 0, above), a);
	backend.copy(rowsOf(y, above, above + below), b);
	return record(context, {
		name: 'concatRows',
		output: y,
		saved: [],
		backward: (gradients, dy) => {
			for (const [part, from] of [
				[a, 0],
				[b, above],
			] as const) {
				const rows = rowsOf(dy, from, from + part.shape[0]!);
				const target = gradients.into(part);
				if (target === undefined) continue;
				if (!target.accumulate) backend.fill(target.view, 0);
				backend.addScaled(target.view, rows, 1);
			}
		},
	});
}
