import { type SplitName, splitNames } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { formatNumber } from '../terminal/format.ts';
import { textTable } from '../terminal/text-table.ts';
import { type Projects, projectOf } from './projects.ts';

/** What a dataset holds; what `vulntune dataset inspect` prints with `--json`. */
export interface DatasetInspection {
	readonly schema: 'vulntune.inspection/1';
	/** SHA-256 over the names and bytes of its files. */
	readonly hash: string;
	readonly splits: Readonly<Record<SplitName, SplitInspection>>;
}

export interface SplitInspection {
	readonly functions: number;
	readonly vulnerable: number;
	/** Distinct commits, and rows that name one; likewise projects. */
	readonly commits: Counted;
	readonly projects: Counted;
	/** Rows of each status, the most frequent first; without those that have none. */
	readonly statuses: readonly NamedCount[];
	/** Vulnerable rows of each weakness that they name, the most frequent first. */
	readonly weaknesses: readonly NamedCount[];
	/** Lengths of the functions in characters; null for none. */
	readonly characters: { readonly median: number; readonly p90: number; readonly max: number } | null;
}

export interface Counted {
	readonly distinct: number;
	readonly rows: number;
}

export interface NamedCount {
	readonly name: string;
	readonly count: number;
}

export function inspectDataset(
	{
		hash,
		splits,
	}: { readonly hash: string; readonly splits: Readonly<Record<SplitName, readonly FunctionRow[]>> },
	projects: Projects,
): DatasetInspection {
	const inspect = (split: SplitName) => inspectSplit(splits[split], projects);
	return {
		schema: 'vulntune.inspection/1',
		hash,
		splits: { train: inspect('train'), valid: inspect('valid'), test: inspect('test') },
	};
}

function inspectSplit(rows: readonly FunctionRow[], projects: Projects): SplitInspection {
	const vulnerable = rows.filter(({ label }) => label === 1);
	const lengths = rows.map(({ code }) => code.length).sort((a, b) => a - b);
	return {
		functions: rows.length,
		vulnerable: vulnerable.length,
		commits: countDistinct(rows.map(({ commit }) => commit)),
		projects: countDistinct(rows.map((row) => projectOf(row, projects))),
		statuses: countNames(rows.flatMap(({ status }) => status ?? [])),
		weaknesses: countNames(
			vulnerable
				.flatMap(({ cwe }) => cwe?.split(',').map((name) => name.trim()) ?? [])
				.filter((name) => name !== ''),
		),
		characters:
			lengths.length === 0
				? null
				: {
						median: lengths[Math.floor((lengths.length - 1) / 2)]!,
						p90: lengths[Math.ceil(0.9 * lengths.length) - 1]!,
						max: lengths.at(-1)!,
					},
	};
}

function countDistinct(values: readonly (string | undefined)[]): Counted {
	const known = values.filter((value) => value !== undefined);
	return { distinct: new Set(known).size, rows: known.length };
}

function countNames(names: readonly string[]): NamedCount[] {
	const counts = new Map<string, number>();
	for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
	return [...counts]
		.map(([name, count]) => ({ name, count }))
		.sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

/** The inspection for terminals. */
export function renderInspection({ splits }: DatasetInspection): string {
	const present = splitNames.filter((split) => splits[split].functions > 0);
	const table = textTable([
		['', 'functions', 'vulnerable', 'commits', 'projects', 'characters: median', '90 % up to', 'longest'],
		...present.map((split) => {
			const { functions, vulnerable, commits, projects, characters } = splits[split];
			const { median, p90, max } = characters!;
			const share = `${formatNumber(vulnerable)} (${((100 * vulnerable) / functions).toFixed(1)} %)`;
			const counts = [...[commits, projects].map(distinctCell), ...[median, p90, max].map(formatNumber)];
			return [split, formatNumber(functions), share, ...counts];
		}),
	]);
	const list = (counts: readonly NamedCount[]) =>
		counts
			.slice(0, 10)
			.map(({ name, count }) => `${name} ${formatNumber(count)}`)
			.join(', ') + (counts.length > 10 ? `, and ${counts.length - 10} more` : '');
	const isUnnamed = present.some((split) => splits[split].commits.rows * splits[split].projects.rows === 0);
	return [
		table,
		...(isUnnamed ? ['-: not known, since no row names it (for projects: --projects).'] : []),
		...present.flatMap((split) => {
			const { statuses, weaknesses } = splits[split];
			return [
				...(statuses.length === 0 ? [] : [`${split} by status: ${list(statuses)}`]),
				...(weaknesses.length === 0 ? [] : [`${split} by weakness: ${list(weaknesses)}`]),
			];
		}),
	].join('\n');
}

/** Rows that name none may still be of many. */
function distinctCell({ distinct, rows }: Counted): string {
	return rows === 0 ? '-' : formatNumber(distinct);
}
