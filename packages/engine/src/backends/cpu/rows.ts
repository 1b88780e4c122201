import { VulntuneError } from '../../errors.ts';
import type { Backend, View } from '../contract.ts';
import { checkRanges } from '../index-checks.ts';
import { describe, elements } from '../view.ts';
import { type CpuDevice, integersOf, programError } from './device.ts';

export type RowGroup = Pick<Backend, 'gatherRows' | 'scatterAddRows' | 'poolRows' | 'poolRowsBackward'>;

/**
 * Throws `ROW_RANGE` if an id is no row of a table of `tableRows` rows: ids are data, and reading beyond a table would
 * read other memory. `ignored` is an id that may stand there all the same.
 */
export function checkRows(device: CpuDevice, rows: View, tableRows: number, ignored = 0): void {
	const { firstRowOutside } = device.kernels;
	const count = elements(rows.shape);
	const position = firstRowOutside(device.engine, device.address(rows), count, tableRows, ignored);
	if (position < 0) return;
	throw new VulntuneError({
		code: 'ROW_RANGE',
		kind: 'runtime',
		message: `id ${position + 1} of ${count} is no row of a table of ${tableRows} rows`,
		remedy:
			'Check that the tokenizer belongs to the model: its ids must be below the size of the vocabulary.',
	});
}

/** Rows of tables and rows of functions. */
export function rowGroup(device: CpuDevice): RowGroup {
	const { address, kernels } = device;

	return {
		gatherRows(y, table, rows) {
			checkRows(device, rows, table.shape[0]!);
			const gathers = {
				f32: kernels.gatherRowsF32,
				bf16: kernels.gatherRowsBf16,
				f16: kernels.gatherRowsF16,
			} as const;
			const gather = gathers[table.dtype as keyof typeof gathers];
			if (gather === undefined)
				throw programError('CPU_TYPE', `rows of ${describe(table)} can't be gathered`);
			const width = elements(table.shape.slice(1));
			gather(device.engine, address(y), address(table), address(rows), elements(rows.shape), width);
		},
		scatterAddRows(table, y, rows) {
			checkRows(device, rows, table.shape[0]!);
			const width = elements(table.shape.slice(1));
			kernels.scatterAddRows(
				device.engine,
				address(table),
				address(y),
				address(rows),
				elements(rows.shape),
				width,
			);
		},
		poolRows(kind, y, argmax, x, ranges) {
			const each = ranges.shape[1]! / 2;
			checkRanges(integersOf(device, ranges), x.shape[0]!, each);
			const [functions, width] = y.shape as readonly [number, number];
			const [to, from, bounds] = [address(y), address(x), address(ranges)];
			if (kind === 'mean') kernels.meanOfRows(device.engine, to, from, bounds, functions, each, width);
			else kernels.maxOfRows(device.engine, to, address(argmax!), from, bounds, functions, each, width);
		},
		poolRowsBackward(kind, dx, dy, argmax, ranges) {
			const each = ranges.shape[1]! / 2;
			checkRanges(integersOf(device, ranges), dx.shape[0]!, each);
			const [functions, width] = dy.shape as readonly [number, number];
			const [to, from] = [address(dx), address(dy)];
			if (kind === 'mean') {
				kernels.meanOfRowsBackward(device.engine, to, from, address(ranges), functions, each, width);
			} else {
				kernels.maxOfRowsBackward(device.engine, to, from, address(argmax!), functions, width);
			}
		},
	};
}
