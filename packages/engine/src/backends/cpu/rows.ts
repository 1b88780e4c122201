import type { Backend } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe, elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type RowGroup = Pick<Backend, 'gatherRows' | 'scatterAddRows' | 'poolRows' | 'poolRowsBackward'>;

/** Rows of tables and rows of functions. */
export function rowGroup(device: CpuDevice): RowGroup {
	const { address, kernels } = device;

	return {
		gatherRows(y, table, rows) {
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
			const [functions, width] = y.shape as readonly [number, number];
			const [to, from, bounds] = [address(y), address(x), address(ranges)];
			if (kind === 'mean') kernels.meanOfRows(device.engine, to, from, bounds, functions, each, width);
			else kernels.maxOfRows(device.engine, to, address(argmax!), from, bounds, functions, each, width);
		},
		poolRowsBackward(kind, dx, dy, argmax, ranges) {
			const each = ranges.shape[1]! / 2;
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
