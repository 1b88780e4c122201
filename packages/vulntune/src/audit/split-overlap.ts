import type { SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { type Duplicates, NEAR, SIMILAR } from './duplicates.ts';
import type { RowMatch } from './join-splits.ts';

/** Functions of one split that another one tells something of. */
export interface SplitOverlap {
	readonly split: SplitName;
	readonly other: SplitName;
	/** The same text, white space aside. */
	readonly exact: number;
	/** Near-duplicates, copies included. */
	readonly near: number;
	/** Similar ones, near-duplicates included. */
	readonly similar: number;
	/** Functions of a commit that the other one has functions of; null where no commit is known on either side. Likewise of a project. */
	readonly commit: number | null;
	readonly project: number | null;
	/** Functions no newer than the newest of the other one; null where no date is known on either side. */
	readonly older: number | null;
}

/** What is known of the rows of all splits. */
export interface ComparedRows {
	readonly rows: readonly FunctionRow[];
	readonly splitOf: readonly SplitName[]; // [rows]
	readonly duplicates: Duplicates;
	/** Similar rows of different splits. */
	readonly matches: readonly RowMatch[];
	readonly projectNames: readonly (string | undefined)[]; // [rows]
	/** [rows] in milliseconds, where they are known. */
	readonly dates: readonly (number | undefined)[];
}

/** What the functions of `split` and those of `other` have in common. */
export function overlapOf(compared: ComparedRows, split: SplitName, other: SplitName): SplitOverlap {
	const { rows, splitOf, projectNames, dates } = compared;
	const membersOf = (name: SplitName) => [...rows.keys()].filter((index) => splitOf[index] === name);
	const [own, others] = [membersOf(split), membersOf(other)];
	const closeness = closestIn(compared, split, other);
	const atLeast = (least: number) => closeness.filter((similarity) => similarity >= least).length;
	const shared = (nameOf: (index: number) => string | undefined) => {
		const there = new Set(others.flatMap((index) => nameOf(index) ?? []));
		const names = own.flatMap((index) => nameOf(index) ?? []);
		if (there.size === 0 || names.length === 0) return null;
		return names.filter((name) => there.has(name)).length;
	};
	const known = (indices: readonly number[]) => indices.flatMap((index) => dates[index] ?? []);
	const newest = known(others).reduce((latest, date) => Math.max(latest, date), Number.NEGATIVE_INFINITY);
	const isDated = known(own).length > 0 && known(others).length > 0;
	return {
		...{ split, other },
		exact: atLeast(COPY),
		near: atLeast(NEAR),
		similar: atLeast(SIMILAR),
		commit: shared((index) => rows[index]!.commit),
		project: shared((index) => projectNames[index]),
		older: isDated ? known(own).filter((date) => date <= newest).length : null,
	};
}

/** Above every similarity: two texts of equal sequences of words may still differ in how often these come. */
const COPY = 2;

/** The similarity of each function of a split to the one in another split that is most like it; those that are like none left out. */
function closestIn(
	{ splitOf, duplicates: { textOf }, matches }: ComparedRows,
	split: SplitName,
	other: SplitName,
): number[] {
	const found = new Map<number, number>();
	for (const { a, b, similarity } of matches) {
		const closeness = textOf[a] === textOf[b] ? COPY : similarity;
		for (const [mine, theirs] of [
			[a, b],
			[b, a],
		] as const) {
			if (splitOf[mine] !== split || splitOf[theirs] !== other) continue;
			found.set(mine, Math.max(found.get(mine) ?? 0, closeness));
		}
	}
	return [...found.values()];
}
