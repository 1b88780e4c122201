import { writeFileAtomically } from '@vulntune/engine';
import type { SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { type SplitStatistics, splitStatistics } from '../data/split-statistics.ts';
import type { RunFolder } from './run-folder.ts';

/** data.json: what a run learns from and is measured on. */
export interface DataRecord {
	readonly schema: 'vulntune.data/1';
	/** Tokens that a sequence holds of a function and its separator; null where nothing counts tokens. */
	readonly sequenceLength: number | null;
	readonly splits: Readonly<Record<SplitName, SplitStatistics>>;
}

/** The splits of a run: rows, and their tokens where they are counted. */
export type RunSplits = Readonly<
	Record<SplitName, { readonly rows: readonly FunctionRow[]; readonly lengths?: ArrayLike<number> }>
>;

export function writeDataRecord(
	{ data }: RunFolder,
	{ train, valid, test }: RunSplits,
	sequenceLength: number | null,
): void {
	const statistics = ({ rows, lengths }: RunSplits[SplitName]) =>
		splitStatistics(rows, lengths, sequenceLength ?? 0);
	const record: DataRecord = {
		schema: 'vulntune.data/1',
		sequenceLength,
		splits: { train: statistics(train), valid: statistics(valid), test: statistics(test) },
	};
	const text = `${JSON.stringify(record, null, '\t')}\n`;
	writeFileAtomically(data, (append) => append(new TextEncoder().encode(text)));
}
