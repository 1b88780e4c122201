import type { Indices } from '../backends/contract.ts';
import { expectRows } from '../backends/indices.ts';
import { allocate, type Context, type Tensor } from '../tensor/tensor.ts';
import { matrixSizes, record } from './record.ts';

/**
 * y [R, H] = table[rows[i]] for i32 rows [R]: the token embedding, and the states at the pooling positions. The
 * gradient adds equal rows up in their order.
 */
export function gatherRows(context: Context, table: Tensor, rows: Indices): Tensor {
	const { backend } = context;
	const [tableRows, hidden] = matrixSizes('gatherRows', 'table', table);
	expectRows(rows, tableRows);
	const y = allocate(context, [rows.shape[0]!, hidden], table.tracked); // [R, H]
	backend.gatherRows(y, table, rows);
	return record(context, {
		name: 'gatherRows',
		output: y,
		saved: [rows],
		backward: (gradients, dy) => {
			const dTable = gradients.into(table);
			if (dTable === undefined) return;
			if (!dTable.accumulate) backend.fill(dTable.view, 0);
			backend.scatterAddRows(dTable.view, dy, rows);
		},
	});
}
