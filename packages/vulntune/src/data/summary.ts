import { formatNumber } from '../terminal/format.ts';
import { type SplitName, splitNames } from './dataset.ts';
import type { LeftOut } from './faults.ts';
import type { FunctionRow } from './row.ts';
import { type SplitStatistics, splitStatistics } from './split-statistics.ts';

/** What a run learns from and is measured on. */
export interface DataSummary {
	/** Tokens that a sequence holds of a function and its separator; null where nothing counts tokens. */
	readonly sequenceLength: number | null;
	readonly splits: Readonly<Record<SplitName, SplitStatistics>>;
	/** Rows that `data.onBadRow: skip` left out. */
	readonly leftOut: LeftOut;
}

/** The splits of a run: rows, and their lengths in tokens where they are counted. */
export type RunSplits = Readonly<
	Record<SplitName, { readonly rows: readonly FunctionRow[]; readonly lengths?: ArrayLike<number> }>
>;

export function summarizeData(
	{ train, valid, test }: RunSplits,
	sequenceLength: number | null,
	leftOut: LeftOut,
): DataSummary {
	const statistics = ({ rows, lengths }: RunSplits[SplitName]) =>
		splitStatistics(rows, lengths, sequenceLength ?? 0);
	return {
		sequenceLength,
		splits: { train: statistics(train), valid: statistics(valid), test: statistics(test) },
		leftOut,
	};
}

/** A line per split, and one for what was left out. */
export function describeData({
	splits,
	sequenceLength,
	leftOut,
}: DataSummary): [name: string, text: string][] {
	const lines = splitNames.map((split): [string, string] => {
		const { functions, vulnerable, tokens } = splits[split];
		const share = functions === 0 ? 0 : (100 * vulnerable) / functions;
		const text = `${formatNumber(functions)} functions, ${share.toFixed(1)} % vulnerable`;
		if (tokens === null) return [split, text];
		const [median, p90, max] = [tokens.median, tokens.p90, tokens.max].map(formatNumber);
		const beyond = `${tokens.longer} (${(100 * tokens.longerShare).toFixed(1)} %) don't fit a sequence of ${sequenceLength}`;
		return [split, `${text}; tokens: median ${median}, 90 % up to ${p90}, longest ${max}; ${beyond}`];
	});
	return [...lines, ...leftOutLines(leftOut).map((line): [string, string] => ['left out', line])];
}

/** What was left out of a dataset, a line for each reason. */
export function leftOutLines(leftOut: LeftOut): string[] {
	const { nearDuplicates, notSampled } = leftOut;
	const lines = leftOut.rows === 0 ? [] : [describeBadRows(leftOut)];
	if (nearDuplicates !== undefined) {
		const { train, valid } = nearDuplicates;
		const what = `${formatNumber(train)} training and ${formatNumber(valid)} validation functions`;
		lines.push(`${what} that later splits nearly have (data.dropNearDuplicates)`);
	}
	if (notSampled !== undefined) {
		lines.push(`${formatNumber(notSampled)} training functions that were not drawn (data.sample)`);
	}
	return lines;
}

/** `3 rows (data.onBadRow: skip): train.jsonl:7: code: the function is empty; …` */
function describeBadRows({ rows, faults }: LeftOut): string {
	const shown = faults.slice(0, 5).map(({ place, message }) => `${place}: ${message}`);
	const more = rows > shown.length ? '; …' : '';
	return `${formatNumber(rows)} ${rows === 1 ? 'row' : 'rows'} (data.onBadRow: skip): ${shown.join('; ')}${more}`;
}
