import type { Backend } from '../contract.ts';
import { elements } from '../view.ts';
import { type CudaDevice, kernelFor, threadsPerBlock } from './device.ts';
import { storages } from './weights.ts';

export type RowGroup = Pick<Backend, 'gatherRows' | 'scatterAddRows' | 'poolRows' | 'poolRowsBackward'>;

/** Rows of tables, and what is pooled of them. */
export function rowGroup(device: CudaDevice): RowGroup {
	const { floats, values } = device;

	/** A block each of so many rows. */
	function overRows(name: string, rows: number, args: readonly number[]): void {
		if (rows > 0) device.launch(name, [rows], threadsPerBlock, args);
	}

	return {
		gatherRows(y, table, rows) {
			const width = elements(table.shape.slice(1));
			const source = [device.address(table), storages.indexOf(table.dtype)];
			const args = [values(y), ...source, device.address(rows), width];
			overRows(kernelFor('gatherRows', y), elements(rows.shape), args);
		},
		scatterAddRows(table, y, rows) {
			const [count, width] = [elements(rows.shape), elements(table.shape.slice(1))];
			const added = [values(y), storages.indexOf(y.dtype)];
			const args = [values(table), ...added, device.address(rows), count, width];
			overRows(kernelFor('scatterAddRows', table), count, args);
		},
		poolRows(kind, y, argmax, x, ranges) {
			const [functions, numbers] = ranges.shape as [number, number];
			const target = [floats(y), kind === 'max' ? device.address(argmax!) : 0];
			const args = [...target, floats(x), device.address(ranges), numbers, y.shape[1]!];
			overRows('poolRows', functions, args);
		},
		poolRowsBackward(kind, dx, dy, argmax, ranges) {
			const [functions, numbers] = ranges.shape as [number, number];
			const from = [floats(dy), kind === 'max' ? device.address(argmax!) : 0];
			const args = [floats(dx), ...from, device.address(ranges), functions, numbers, dy.shape[1]!];
			overRows('poolRowsBackward', dx.shape[0]!, args);
		},
	};
}
