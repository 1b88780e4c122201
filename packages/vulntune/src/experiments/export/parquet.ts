import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Study } from '../read-study.ts';
import { exportTable } from './table.ts';

/** The columns of the CSV, typed: whole bytes, doubles, and text for what holds any. */
export function toParquet(study: Study): Uint8Array {
	const { columns, rows } = exportTable(study);
	const columnData = columns.map((name, column) => {
		const values = rows.map((row) => row[column]!);
		const isNumber = values.every((value) => value === null || typeof value === 'number');
		if (name === 'peakBytes') {
			const data = values.map((value) => (value === null ? null : BigInt(value)));
			return { name, data, type: 'INT64' as const, nullable: true };
		}
		if (isNumber) return { name, data: values, type: 'DOUBLE' as const, nullable: true };
		const data = values.map((value) => (value === null ? null : String(value)));
		return { name, data, type: 'STRING' as const, nullable: true };
	});
	return new Uint8Array(parquetWriteBuffer({ columnData }));
}
