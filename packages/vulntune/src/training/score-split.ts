import { VulntuneError } from '@vulntune/engine';
import type { Detector } from '../methods/detector.ts';
import { combineWindows, type WindowCombination } from '../packing/combine-windows.ts';
import type { PackingOptions } from '../packing/options.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { type PassOptions, scorePack } from './micro-batch.ts';
import { assemblePack, branchTokens, type PackTokens, type SplitData } from './split-data.ts';

export interface ScoringOptions {
	readonly pass: PassOptions;
	readonly packing: PackingOptions;
	readonly windowCombination: WindowCombination;
	readonly tokens: PackTokens;
	/** Called after every pack. */
	readonly progress?: (done: number, total: number) => void;
	/** Ends the scoring early where it returns true; the result is then undefined. */
	readonly stop?: () => boolean;
}

export interface SplitScores {
	/** [rows] probability of being vulnerable. */
	readonly probabilities: Float64Array;
	/** Mean weighted loss of a segment. */
	readonly loss: number;
	/** Functions that were cut to the length of a sequence. */
	readonly truncated: number;
	readonly tokens: number;
	/** Tokens that were not computed again, because functions begin alike. */
	readonly sharedTokens: number;
}

/**
 * Scores every function of a split by itself: packs are isolated whatever training does, and functions that training
 * ignores as too long are cut, so that no function is missing and no score depends on its neighbours. What functions
 * have in common at their beginning is computed once, which changes no score.
 *
 * Throws SCORE_NOT_FINITE: no file and no metric is made of such a score.
 */
export function scoreSplit(
	detector: Detector,
	data: SplitData,
	options: ScoringOptions,
): SplitScores | undefined {
	const { packing } = options;
	const plan = packFunctions(data.lengths, scoringPacking(packing, options.tokens), data);
	const scores: number[] = [];
	const owners: number[] = [];
	let loss = 0;
	for (const [index, pieces] of plan.packs.entries()) {
		if (options.stop?.() === true) return undefined;
		const { pack, targets } = assemblePack(data, pieces, 'isolated', options.tokens);
		const { losses, probabilities } = scorePack(detector, pack, targets, options.pass);
		scores.push(...probabilities);
		owners.push(...pack.functionIndex);
		for (const value of losses) loss += value;
		options.progress?.(index + 1, plan.packs.length);
	}
	const { windowCombination } = options;
	const probabilities = combineWindows(scores, owners, data.rows.length, windowCombination);
	requireScores(probabilities, data);
	return {
		probabilities,
		loss: loss / Math.max(1, scores.length),
		truncated: plan.truncated.length,
		tokens: plan.tokens,
		sharedTokens: plan.sharedTokens,
	};
}

function requireScores(probabilities: Float64Array, { rows }: SplitData): void {
	const index = probabilities.findIndex((value) => !Number.isFinite(value));
	if (index < 0) return;
	throw new VulntuneError({
		code: 'SCORE_NOT_FINITE',
		kind: 'runtime',
		message: `the score of function ${rows[index]!.id} is ${probabilities[index]}`,
		remedy:
			'The weights overflow or are none: train anew with a lower training.learningRate, or look at the base model.',
	});
}

/** How a split is packed to be scored, whatever training does. */
export function scoringPacking(packing: PackingOptions, tokens: PackTokens): PackingOptions {
	return {
		...packing,
		packing: packing.packing === 'none' ? 'none' : 'isolated',
		order: 'bestFit',
		largeFunctions: packing.largeFunctions === 'window' ? 'window' : 'truncate',
		// an answer behind a function has no second parent for what that shares
		sharePrefixes: branchTokens(tokens) === 0,
	};
}
