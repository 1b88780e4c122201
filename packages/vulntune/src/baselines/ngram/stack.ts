import { inputError } from '@vulntune/engine';
import { fitNgram, type NgramModel, ngramLogOdds, type Stoppable, type TextRow } from './model.ts';

/** n-grams whose score a head sees beside a model's state: their log odds, in units of what training rows have out of fold. */
export interface StackedNgram {
	/** Fitted on all training rows. */
	readonly model: NgramModel;
	/** Mean and standard deviation of the training rows' log odds, each from a fit that has not seen its row. */
	readonly mean: number;
	readonly deviation: number;
}

/** @returns [texts] what the head sees of texts that the n-grams were not fitted on; each depends on its own text alone */
export function stackedScores(
	{ model, mean, deviation }: StackedNgram,
	texts: readonly string[],
): Float32Array {
	return standardised(ngramLogOdds(model, texts), mean, deviation);
}

/** What equal scores may lie apart by, beside the largest and 1: they are sums of float32 weights of several fits. */
const ROUNDING = 1e-6;

/** What a head learns from: the n-grams, and the score of each row that they were fitted on. */
export interface FittedStack {
	readonly stack: StackedNgram;
	/** [rows] from fits that have not seen the row's fold */
	readonly scores: Float32Array;
}

/**
 * Scores every training row by n-grams that were fitted without its fold, with the C that was chosen for all of them.
 *
 * Throws STACK_FOLDS where all rows get one score, NGRAM_ONE_CLASS where the rows outside a fold are of one class.
 *
 * @param model the n-grams of all rows, which score everything else
 * @param foldOf [rows]
 * @returns undefined where it was stopped
 */
export function fitStack(
	model: NgramModel,
	rows: readonly TextRow[],
	foldOf: Int32Array,
	{ stop }: Stoppable,
): FittedStack | undefined {
	const logOdds = new Float64Array(rows.length); // [rows]
	const { features, inverseRegularization } = model;
	for (const fold of new Set(foldOf)) {
		const heldOut = [...rows.keys()].filter((row) => foldOf[row] === fold);
		const others = rows.filter((_, row) => foldOf[row] !== fold);
		const fitted = fitNgram(others, { features, inverseRegularization, stop });
		if (stop()) return undefined;
		const own = ngramLogOdds(
			fitted,
			heldOut.map((row) => rows[row]!.text),
		);
		for (const [place, row] of heldOut.entries()) logOdds[row] = own[place]!;
	}
	const mean = logOdds.reduce((sum, value) => sum + value, 0) / logOdds.length;
	const variance = logOdds.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logOdds.length;
	const deviation = Math.sqrt(variance);
	const largest = logOdds.reduce((found, value) => Math.max(found, Math.abs(value)), 1);
	if (deviation <= ROUNDING * largest) {
		throw nothingToStack('the n-grams give every training function the same score');
	}
	return { stack: { model, mean, deviation }, scores: standardised(logOdds, mean, deviation) };
}

function standardised(logOdds: Float64Array, mean: number, deviation: number): Float32Array {
	return Float32Array.from(logOdds, (value) => (value - mean) / deviation);
}

/** The error where training rows can't be scored by n-grams that have not seen them. */
export function nothingToStack(message: string): Error {
	return inputError('STACK_FOLDS', message, {
		place: 'method.stack',
		remedy:
			'Leave method.stack out, or train on rows of more projects: those of one project, commit or near-duplicate are held out together.',
	});
}
