import type { SplitName } from '../data/dataset.ts';
import { type Duplicates, findDuplicates, NEAR, SIMILAR } from './duplicates.ts';
import { createGrouping } from './groups.ts';
import { acrossSplits, joinSplits, type SplitRows } from './join-splits.ts';
import { dateOf, type Projects, projectOf } from './projects.ts';
import { overlapOf, type SplitOverlap } from './split-overlap.ts';

/** What lets a detector know the functions of one split from another one; what `vulntune dataset audit` prints with `--json`. */
export interface Audit {
	readonly schema: 'vulntune.audit/1';
	/** Jaccard similarities of sequences of five words from which on two functions count as near-duplicates, and as similar. */
	readonly thresholds: { readonly near: number; readonly similar: number };
	readonly splits: Readonly<Record<SplitName, SplitFacts>>;
	/** Each later split against each that is learnt from or chosen by before it. */
	readonly across: readonly SplitOverlap[];
	readonly labelConflicts: LabelConflicts;
	/** Rows of which near-duplicates, and what these are near to, are joined: how many such clusters of two rows and more. */
	readonly clusters: { readonly count: number; readonly largest: number };
	/** Rows whose project is known, by their `repo` or their commit, and how many projects that makes. */
	readonly projects: { readonly knownRows: number; readonly count: number };
	/** Rows whose date is known, and those that name one which is none. */
	readonly dates: { readonly knownRows: number; readonly unreadableRows: number };
	/** The most similar pairs across splits, up to a hundred. */
	readonly pairs: readonly CrossPair[];
}

export interface SplitFacts {
	readonly functions: number;
	readonly vulnerable: number;
	/** Functions whose text an earlier one of the split has too. */
	readonly copies: number;
	/** The first and the last date, as `2016-01-31`; null where none is known. */
	readonly dates: { readonly first: string; readonly last: string } | null;
}

/** Texts that are vulnerable in one row and not in another. */
export interface LabelConflicts {
	readonly texts: number;
	readonly rows: number;
	/** Up to a hundred of them, each with its rows. */
	readonly found: readonly (readonly RowName[])[];
}

/** Where a row stands. */
export interface RowName {
	readonly split: SplitName;
	readonly id: string | number;
	readonly label: 0 | 1;
}

export interface CrossPair {
	readonly similarity: number;
	readonly rows: readonly [RowName, RowName];
}

const shown = 100;

/** Later splits against earlier ones: what is measured against what it was learnt and chosen from. */
const comparisons = [
	['test', 'train'],
	['test', 'valid'],
	['valid', 'train'],
] as const;

/** Compares every function of a dataset with every other one. */
export function auditDataset(splits: SplitRows, projects: Projects): Audit {
	const { rows, splitOf } = joinSplits(splits);
	const duplicates = findDuplicates(rows.map(({ code }) => code));
	const projectNames = rows.map((row) => projectOf(row, projects));
	const dates = rows.map((row) => dateOf(row, projects));
	const readable = dates.map((date) => (date === undefined || Number.isNaN(date) ? undefined : date));
	const nameOf = (index: number): RowName => {
		const { id, label } = rows[index]!;
		return { split: splitOf[index]!, id, label };
	};
	const members = (split: SplitName) => [...rows.keys()].filter((index) => splitOf[index] === split);
	const matches = acrossSplits(duplicates, splitOf);
	const conflicts = duplicates.functionsOf.filter(
		(functions) => new Set(functions.map((index) => rows[index]!.label)).size === 2,
	);
	const facts = (split: SplitName): SplitFacts => {
		const own = members(split);
		const times = own.flatMap((index) => readable[index] ?? []).sort((a, b) => a - b);
		return {
			functions: own.length,
			vulnerable: own.filter((index) => rows[index]!.label === 1).length,
			copies: own.length - new Set(own.map((index) => duplicates.textOf[index])).size,
			dates: times.length === 0 ? null : { first: dayOf(times[0]!), last: dayOf(times.at(-1)!) },
		};
	};
	return {
		schema: 'vulntune.audit/1',
		thresholds: { near: NEAR, similar: SIMILAR },
		splits: { train: facts('train'), valid: facts('valid'), test: facts('test') },
		across: comparisons
			.filter(([split, other]) => splits[split].length > 0 && splits[other].length > 0)
			.map(([split, other]) =>
				overlapOf({ rows, splitOf, duplicates, matches, projectNames, dates: readable }, split, other),
			),
		labelConflicts: {
			texts: conflicts.length,
			rows: conflicts.reduce((sum, functions) => sum + functions.length, 0),
			found: conflicts.slice(0, shown).map((functions) => functions.map(nameOf)),
		},
		clusters: nearClusters(duplicates),
		projects: {
			knownRows: projectNames.filter((name) => name !== undefined).length,
			count: new Set(projectNames.filter((name) => name !== undefined)).size,
		},
		dates: {
			knownRows: readable.filter((date) => date !== undefined).length,
			unreadableRows: dates.filter((date) => Number.isNaN(date)).length,
		},
		pairs: matches
			.toSorted((p, q) => q.similarity - p.similarity || p.a - q.a || p.b - q.b)
			.slice(0, shown)
			.map(({ a, b, similarity }) => ({ similarity, rows: [nameOf(a), nameOf(b)] })),
	};
}

function nearClusters({ functionsOf, pairs }: Duplicates): Audit['clusters'] {
	const grouping = createGrouping(functionsOf.length);
	for (const { a, b, similarity } of pairs) if (similarity >= NEAR) grouping.join(a, b);
	const sizes = new Map<number, number>();
	for (const [text, group] of grouping.groups().entries()) {
		sizes.set(group, (sizes.get(group) ?? 0) + functionsOf[text]!.length);
	}
	const clusters = [...sizes.values()].filter((size) => size > 1);
	return { count: clusters.length, largest: clusters.reduce((most, size) => Math.max(most, size), 0) };
}

function dayOf(milliseconds: number): string {
	return new Date(milliseconds).toISOString().slice(0, 10);
}
