import type { Ranges } from '../backends/contract.ts';
import { expectRanges } from '../backends/indices.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { matrixSizes, record } from './record.ts';

/** y [F, H] = mean or maximum of the rows of x [T, H] in each function's ranges [from, to), i32 [F, 2R]. */
export function poolRows(context: Context, kind: 'mean' | 'max', x: Tensor, ranges: Ranges): Tensor {
	const { backend, arena } = context;
	const [rows, hidden] = matrixSizes('poolRows', 'x', x);
	expectRanges(ranges, rows);
	const [functions] = matrixSizes('poolRows', 'ranges', ranges);
	const y = allocate(context, [functions, hidden], x.tracked, x.dtype); // [F, H]
	const argmax = kind === 'max' ? arena.allocate('i32', y.shape) : undefined;
	backend.poolRows(kind, y, argmax, x, ranges);
	record(context, {
		name: 'poolRows',
		output: y,
		saved: argmax === undefined ? [ranges] : [ranges, argmax],
		backward: (gradients, dy) => {
			const dx = gradients.into(x);
			if (dx === undefined) return;
			if (!dx.accumulate) backend.fill(dx.view, 0);
			backend.poolRowsBackward(kind, dx.view, dy, argmax, ranges);
		},
	});
	if (argmax !== undefined) arena.release(argmax);
	return y;
}
