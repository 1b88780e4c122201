import { VulntuneError } from '@vulntune/engine';
import { alone, type Communicator } from '../communication/communicator.ts';
import { shareOut } from '../communication/share-out.ts';
import type { Detector } from '../methods/detector.ts';
import type { PackLabels } from '../objectives/objective.ts';
import { combineWindows, type WindowCombination } from '../packing/combine-windows.ts';
import type { PackingOptions } from '../packing/options.ts';
import { buildPack, type Pack, withStackedScores } from '../packing/pack.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { type PassOptions, scorePack } from './micro-batch.ts';
import { branchTokens, labelsOf, type PackTokens, type ReadFunctions, type SplitData } from './split-data.ts';

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

export interface FunctionScores {
	/** [functions] probability of being vulnerable. */
	readonly probabilities: Float64Array;
	/** Mean weighted loss of a piece; NaN where the labels aren't known. */
	readonly loss: number;
	/** Functions that were cut to the length of a sequence. */
	readonly truncated: number;
	readonly tokens: number;
	/** Tokens that were not computed again, because functions begin alike. */
	readonly sharedTokens: number;
}

/**
 * Scores every function by itself: packs are isolated whatever training does, and functions that training ignores as too long are
 * cut, so that no function is missing and no score depends on its neighbours. What functions have in common at their beginning is
 * computed once, and packs are as long as is fastest; neither changes a score.
 *
 * @param targetsOf the labels of a pack's functions, where they are known
 * @param communicator processes that share the packs out; each gets all scores
 */
export async function scoreFunctions(
	detector: Detector,
	{ tokens, stackedScores }: ReadFunctions,
	options: ScoringOptions,
	targetsOf?: (pack: Pack) => PackLabels,
	communicator: Communicator = alone,
): Promise<FunctionScores | undefined> {
	const lengths = tokens.map((ids) => ids.length);
	const plan = packFunctions(lengths, scoringPacking(options.packing, options.tokens), { tokens });
	const scorePieces = (index: number) => {
		const pieces = plan.packs[index]!;
		const built = buildPack(pieces, tokens, options.tokens.separator, 'isolated', options.tokens);
		const pack = withStackedScores(built, stackedScores);
		const judged = scorePack(detector, pack, options.pass, targetsOf?.(pack));
		return {
			probabilities: Array.from(judged.probabilities),
			losses: Array.from(judged.losses ?? [Number.NaN]),
			owners: Array.from(pack.functionIndex),
		};
	};
	const judged = await shareOut(communicator, plan.packs.length, scorePieces, {
		stop: options.stop,
		progress: (done) => options.progress?.(done, plan.packs.length),
	});
	if (judged === undefined) return undefined;
	const scores = judged.flatMap(({ probabilities }) => probabilities);
	const owners = judged.flatMap((pack) => pack.owners);
	let loss = 0;
	for (const value of judged.flatMap(({ losses }) => losses)) loss += value;
	return {
		probabilities: combineWindows(scores, owners, tokens.length, options.windowCombination),
		loss: loss / Math.max(1, scores.length),
		truncated: plan.truncated.length,
		tokens: plan.tokens,
		sharedTokens: plan.sharedTokens,
	};
}

/**
 * The scores of a split, with the loss of its labels.
 *
 * Throws SCORE_NOT_FINITE: no file and no metric is made of such a score.
 */
export async function scoreSplit(
	detector: Detector,
	data: SplitData,
	options: ScoringOptions,
	communicator: Communicator = alone,
): Promise<FunctionScores | undefined> {
	const targetsOf = (pack: Pack) => labelsOf(data, pack);
	const scores = await scoreFunctions(detector, data, options, targetsOf, communicator);
	if (scores !== undefined) requireScores(scores.probabilities, (index) => data.rows[index]!.id);
	return scores;
}

/** Throws SCORE_NOT_FINITE with the name of the first function whose score is no number. */
export function requireScores(probabilities: Float64Array, nameOf: (index: number) => string | number): void {
	const index = probabilities.findIndex((value) => !Number.isFinite(value));
	if (index < 0) return;
	throw new VulntuneError({
		code: 'SCORE_NOT_FINITE',
		kind: 'runtime',
		message: `the score of function ${nameOf(index)} is ${probabilities[index]}`,
		remedy:
			'The weights overflow or are none: train anew with a lower training.learningRate, or look at the base model.',
	});
}

/** Tokens of a pack from which on products are as fast as they get; training's sequences may be shorter. */
export const FASTEST_PACK = 2048;

/** How functions are packed to be scored, whatever training does. */
export function scoringPacking(packing: PackingOptions, tokens: PackTokens): PackingOptions {
	return {
		...packing,
		packing: packing.packing === 'none' ? 'none' : 'isolated',
		order: 'bestFit',
		packLength: Math.max(packing.length, FASTEST_PACK),
		largeFunctions: packing.largeFunctions === 'window' ? 'window' : 'truncate',
		// an answer behind a function has no second parent for what that shares
		sharePrefixes: branchTokens(tokens) === 0,
	};
}
