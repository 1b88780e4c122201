import { writeTextAtomically } from '@vulntune/engine';
import type { DataSummary } from '../data/summary.ts';
import type { RunFolder } from './run-folder.ts';

/** data.json: what a run learns from and is measured on. */
export type DataRecord = { readonly schema: 'vulntune.data/1' } & DataSummary;

export function writeDataRecord({ data }: RunFolder, summary: DataSummary): void {
	const record: DataRecord = { schema: 'vulntune.data/1', ...summary };
	const text = `${JSON.stringify(record, null, '\t')}\n`;
	writeTextAtomically(data, text);
}
