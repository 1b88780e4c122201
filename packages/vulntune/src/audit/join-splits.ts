import { type SplitName, splitNames } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import type { Duplicates } from './duplicates.ts';

/** The rows of a dataset by split. */
export type SplitRows = Readonly<Record<SplitName, readonly FunctionRow[]>>;

/** The rows of all splits one after the other, and the split of each. */
export function joinSplits(splits: SplitRows): { rows: FunctionRow[]; splitOf: SplitName[] } {
	return {
		rows: splitNames.flatMap((split) => splits[split]),
		splitOf: splitNames.flatMap((split) => splits[split].map(() => split)),
	};
}

/** A function and a similar one of another split. */
export interface RowMatch {
	readonly a: number;
	/** Greater than `a`. */
	readonly b: number;
	readonly similarity: number;
}

/** Each function beside one of every other split that is most like it; of many copies one stands for all. */
export function acrossSplits(
	{ functionsOf, pairs }: Pick<Duplicates, 'functionsOf' | 'pairs'>,
	splitOf: readonly SplitName[],
): RowMatch[] {
	const matches: RowMatch[] = [];
	const match = (own: readonly number[], others: readonly number[], similarity: number) => {
		for (const split of splitNames) {
			const witness = others.find((index) => splitOf[index] === split);
			if (witness === undefined) continue;
			for (const a of own)
				if (splitOf[a] !== split) {
					matches.push({ a: Math.min(a, witness), b: Math.max(a, witness), similarity });
				}
		}
	};
	for (const functions of functionsOf) if (functions.length > 1) match(functions, functions, 1);
	for (const { a, b, similarity } of pairs) {
		match(functionsOf[a]!, functionsOf[b]!, similarity);
		match(functionsOf[b]!, functionsOf[a]!, similarity);
	}
	const seen = new Set<string>();
	return matches.filter(({ a, b }) => {
		const key = `${a} ${b}`;
		if (seen.has(key)) return false;
		seen.add(key);
		return true;
	});
}
