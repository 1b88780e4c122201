import { inputError } from '@vulntune/engine';
import type { FunctionRow } from '../data/row.ts';
import { describeShared } from '../packing/describe-shared.ts';
import type { PackingOptions, Piece } from '../packing/options.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import type { TrainingFunctions } from '../run/records.ts';
import type { SplitData, SplitPairs } from '../scoring/split-data.ts';

/**
 * Checks, before anything is computed, that there is something to learn from, and says in a line how the training
 * functions fill their sequences and which of them are not seen whole.
 *
 * Throws TRAIN_ONE_CLASS, LOSS_NO_PAIRS, and TRAIN_NOTHING_FITS where all functions are too long and ignored.
 */
export function describeTrainingRows(
	{ rows, lengths, tokens, pairs }: SplitData,
	packing: PackingOptions,
): string {
	requireBothClasses(rows);
	const plan = packFunctions(lengths, packing, { tokens, together: pairs?.rows });
	const { packs, ignored, truncated, efficiency } = plan;
	if (packs.length === 0) {
		const message = `all ${rows.length} training functions are longer than ${packing.length} tokens and ignored`;
		throw inputError('TRAIN_NOTHING_FITS', message, {
			place: 'sequence.length',
			remedy: 'Use longer sequences, or set sequence.largeFunctions to truncate or window.',
		});
	}
	const parts = [
		`${rows.length} training functions in ${packs.length} sequences, ${(100 * efficiency).toFixed(1)} % full`,
	];
	if (packing.sharePrefixes === true) parts.push(describeShared(plan));
	if (pairs !== undefined) parts.push(describePairs(pairs, packs));
	if (ignored.length > 0) parts.push(`${ignored.length} left out as longer than ${packing.length} tokens`);
	if (truncated.length > 0) parts.push(`${truncated.length} cut to ${packing.length} tokens`);
	return parts.join('; ');
}

/** How many pairs lie in one sequence each, where they are learnt from. Throws LOSS_NO_PAIRS where none does. */
function describePairs({ rows }: SplitPairs, packs: readonly (readonly Piece[])[]): string {
	const packOf = new Map(
		packs.flatMap((pieces, pack) => pieces.map(({ functionIndex }) => [functionIndex, pack])),
	);
	const together = rows.filter(([a, b]) => packOf.has(a) && packOf.get(a) === packOf.get(b)).length;
	if (together === 0) {
		throw inputError('LOSS_NO_PAIRS', 'no vulnerable training function lies in one sequence with its fix', {
			place: 'loss.pair',
			remedy:
				'Pairs are rows of one commit with one function_name: give the rows both, or leave out loss.pair.',
		});
	}
	return `${together} of ${rows.length} pairs of a function and its fix in one sequence`;
}

/** Throws TRAIN_ONE_CLASS where there is nothing to tell apart. */
export function requireBothClasses(rows: readonly Pick<FunctionRow, 'label'>[]): void {
	const positives = rows.filter(({ label }) => label === 1).length;
	if (positives === 0 || positives === rows.length) {
		const found = positives === 0 ? 'not vulnerable' : 'vulnerable';
		throw inputError('TRAIN_ONE_CLASS', `expected functions of both classes, found ${rows.length} ${found}`, {
			place: 'train.jsonl',
			remedy: 'Add functions with the other target: a detector learns what tells them apart.',
		});
	}
}

/** What a user must know of a validation split that has one class only; undefined where it has both. */
export function oneClassValidationNote(rows: readonly Pick<FunctionRow, 'label'>[]): string | undefined {
	const positives = rows.filter(({ label }) => label === 1).length;
	if (positives > 0 && positives < rows.length) return undefined;
	const found = positives === 0 ? 'no vulnerable function' : 'vulnerable functions only';
	return `validation has ${found}: no threshold can be chosen, so there is no F1`;
}

/** How many training functions are learned from, and how many not or not whole. */
export function trainingFunctions(
	{ lengths, tokens, pairs }: SplitData,
	packing: PackingOptions,
): TrainingFunctions {
	const plan = packFunctions(lengths, packing, { tokens, together: pairs?.rows });
	return {
		functions: lengths.length,
		ignored: plan.ignored.length,
		truncated: plan.truncated.length,
		tokens: plan.tokens,
		sharedTokens: plan.sharedTokens,
	};
}
