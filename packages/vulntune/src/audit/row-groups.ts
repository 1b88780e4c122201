import type { FunctionRow } from '../data/row.ts';
import { type Duplicates, findDuplicates, NEAR } from './duplicates.ts';
import { createGrouping } from './groups.ts';
import { type Projects, projectOf } from './projects.ts';

/** What may keep rows together. */
export const groupings = ['project', 'nearDuplicate', 'commit'] as const;
export type GroupingName = (typeof groupings)[number];

/**
 * [rows] the group of each row: two that share a commit are in one, and, as asked for, two of one project and two whose texts are
 * near-duplicates; so are two that only a third one joins.
 *
 * @param by `commit` is always among it: a function and its fix are never parted
 * @param similarity from which on two texts are near-duplicates, at least 0.5
 */
export function groupRowsBy(
	rows: readonly FunctionRow[],
	by: readonly GroupingName[],
	projects: Projects,
	duplicates: Duplicates,
	similarity = NEAR,
): Int32Array {
	const grouping = createGrouping(rows.length);
	const joinEqual = (nameOf: (row: FunctionRow) => string | undefined) => {
		const first = new Map<string, number>();
		for (const [index, row] of rows.entries()) {
			const name = nameOf(row);
			if (name === undefined) continue;
			const earlier = first.get(name);
			if (earlier === undefined) first.set(name, index);
			else grouping.join(earlier, index);
		}
	};
	joinEqual(({ commit }) => commit);
	if (by.includes('project')) joinEqual((row) => projectOf(row, projects));
	if (by.includes('nearDuplicate')) {
		const { functionsOf, pairs } = duplicates;
		for (const [first, ...copies] of functionsOf) for (const copy of copies) grouping.join(first!, copy);
		for (const { a, b, similarity: found } of pairs) {
			if (found >= similarity) grouping.join(functionsOf[a]![0]!, functionsOf[b]![0]!);
		}
	}
	return grouping.groups();
}

/**
 * [rows] what folds never part: rows of a project, near-duplicates, rows of a commit, and what a third one joins.
 *
 * @param similarity from which on two functions are near-duplicates
 */
export function clustersOf(rows: readonly FunctionRow[], projects: Projects, similarity: number): Int32Array {
	const duplicates = findDuplicates(rows.map(({ code }) => code));
	return groupRowsBy(rows, ['project', 'nearDuplicate'], projects, duplicates, similarity);
}
