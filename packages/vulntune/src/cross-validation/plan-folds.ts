import { inputError } from '@vulntune/engine';
import { assignGroups } from '../audit/assign-groups.ts';

/** What a row is in one fold. */
export type FoldPart = 'train' | 'valid' | 'test';

/** Which rows each fold learns from, chooses by and is measured on. */
export interface FoldPlan {
	/** [rows] the fold in which each row is held out, from 0. */
	readonly foldOf: Int32Array;
	/** [folds] of [rows] */
	readonly parts: readonly (readonly FoldPart[])[];
}

/** Of the rows that are not held out, what chooses epoch, threshold and the n-grams' C. */
const VALIDATION_SHARE = 1 / 8;

/**
 * Deals the clusters of all rows to folds, each with about the same share of both classes, and sets an eighth of the rest of each
 * aside for validation, by clusters too.
 *
 * Throws CROSS_VALIDATION_FOLDS where a fold would lack a class to learn from, to choose by or to be measured on.
 *
 * @param clusterOf [rows]
 */
export function planFolds(
	clusterOf: Int32Array,
	labels: readonly (0 | 1)[],
	folds: number,
	seed: number,
): FoldPlan {
	const foldOf = assignGroups(clusterOf, labels, new Array<number>(folds).fill(1 / folds), seed);
	const parts = Array.from({ length: folds }, (_, fold) => {
		const others = [...foldOf.keys()].filter((row) => foldOf[row] !== fold);
		const dealt = assignGroups(
			Int32Array.from(others, (row) => clusterOf[row]!),
			others.map((row) => labels[row]!),
			[1 - VALIDATION_SHARE, VALIDATION_SHARE],
			seed,
		);
		const part: FoldPart[] = labels.map(() => 'test');
		for (const [place, row] of others.entries()) part[row] = dealt[place] === 0 ? 'train' : 'valid';
		requireClasses(part, labels, fold);
		return part;
	});
	return { foldOf, parts };
}

function requireClasses(parts: readonly FoldPart[], labels: readonly (0 | 1)[], fold: number): void {
	for (const part of ['train', 'valid', 'test'] as const) {
		const found = new Set(labels.filter((_, row) => parts[row] === part));
		if (found.size === 2) continue;
		const what = { train: 'to learn from', valid: 'to choose by', test: 'to measure on' }[part];
		throw inputError('CROSS_VALIDATION_FOLDS', `fold ${fold + 1} has no rows of both classes ${what}`, {
			place: '--folds',
			remedy:
				'Ask for fewer folds. Rows of one project or of near-duplicates are never parted: dataset inspect shows how many projects there are.',
		});
	}
}
