import { uploadIndices } from '../tensor/indices.ts';
import { allocate, type Context, release, type Tensor } from '../tensor/tensor.ts';
import { asRows } from './as-rows.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/**
 * x [T, groups × parts × W] → `parts` times [T, groups × W]: the first W columns of every group, the second, and so on, as where
 * queries, keys and values lie side by side for each head (groups: heads, parts: 3).
 */
export function splitColumns(context: Context, x: Tensor, groups: number, parts: number): readonly Tensor[] {
	const { backend } = context;
	const [tokens, columns] = matrixSizes('splitColumns', 'x', x);
	const width = Math.floor(columns / (groups * parts));
	expectShape('splitColumns', 'x', x, [tokens, groups * parts * width]);
	return Array.from({ length: parts }, (_, part) => {
		const rows = uploadIndices(
			context,
			Int32Array.from({ length: tokens * groups }, (__, i) => i * parts + part),
		); // [T × groups]
		const y = allocate(context, [tokens, groups * width], x.tracked, x.dtype); // [T, groups × W]
		backend.gatherRows(asRows(y, width), asRows(x, width), rows);
		record(context, {
			name: 'splitColumns',
			output: y,
			saved: [rows],
			backward: (gradients, dy) => {
				const dx = gradients.into(x);
				if (dx === undefined) return;
				if (!dx.accumulate) backend.fill(dx.view, 0);
				backend.scatterAddRows(asRows(dx.view, width), asRows(dy, width), rows);
			},
		});
		release(context, rows);
		return y;
	});
}
