import { type SplitName, splitNames } from '../data/dataset.ts';
import { findDuplicates, NEAR } from './duplicates.ts';
import { acrossSplits, joinSplits, type SplitRows } from './join-splits.ts';

/** Rows without those that a later split nearly has, and how many these were. */
export interface ApartSplits {
	readonly splits: SplitRows;
	readonly dropped: { readonly train: number; readonly valid: number };
	/** [functions] of all splits one after the other, whether each stays. */
	readonly stays: readonly boolean[];
}

/**
 * Leaves out of the training split what is a near-duplicate of a validation or test function, and of the validation split what is one of
 * a test function. Test stays as it is, so that numbers on it remain comparable.
 *
 * @param least from which similarity on two functions are near-duplicates
 */
export function dropNearDuplicates(splits: SplitRows, least: number = NEAR): ApartSplits {
	const { rows, splitOf } = joinSplits(splits);
	const stays = rows.map(() => true);
	for (const { a, b, similarity } of acrossSplits(findDuplicates(rows.map(({ code }) => code)), splitOf)) {
		if (similarity < least) continue;
		const order = (index: number) => splitNames.indexOf(splitOf[index]!);
		stays[order(a) < order(b) ? a : b] = false;
	}
	let first = 0;
	const keptOf = (split: SplitName) => {
		const from = first;
		first += splits[split].length;
		return splits[split].filter((_, index) => stays[from + index]);
	};
	const [train, valid, test] = [keptOf('train'), keptOf('valid'), keptOf('test')] as const;
	const dropped = { train: splits.train.length - train.length, valid: splits.valid.length - valid.length };
	return { splits: { train, valid, test }, dropped, stays };
}
