import { validationThreshold } from '../metrics/best-f1.ts';
import { type LengthDirection, lengthDirection, lengthScores } from './length.ts';
import type { NgramModel, NgramOptions, Stoppable, TextRow } from './ngram/model.ts';
import { type NgramSelection, type NgramTrial, selectNgram } from './ngram/select.ts';

/** The trivial detectors that stand beside every model, with their thresholds from validation. */
export interface Baselines {
	readonly length: {
		/** From training rows. */
		readonly direction: LengthDirection;
		/** Null where validation has one class only; the n-grams' likewise. */
		readonly threshold: number | null;
	};
	readonly ngram: {
		readonly model: NgramModel;
		readonly threshold: number | null;
		/** What was tried on validation. */
		readonly trials: readonly NgramTrial[];
	};
}

export interface BaselineOptions extends NgramOptions {
	/** What was selected on the same rows already. */
	readonly ngram?: NgramSelection | undefined;
}

/**
 * Trains on `train`, chooses hyper-parameters and thresholds (best F1) on `validation`; test is never seen.
 *
 * @param options with `stop`, which is asked between passes: true ends the fitting, whose result is then undefined
 */
export function fitBaselines(
	train: readonly TextRow[],
	validation: readonly TextRow[],
	options: BaselineOptions & Stoppable,
): Baselines | undefined;
export function fitBaselines(
	train: readonly TextRow[],
	validation: readonly TextRow[],
	options?: BaselineOptions,
): Baselines;
export function fitBaselines(
	train: readonly TextRow[],
	validation: readonly TextRow[],
	{ ngram, ...options }: BaselineOptions & Partial<Stoppable> = {},
): Baselines | undefined {
	const labels = validation.map((row) => row.label);
	const selection =
		ngram ?? selectNgram(train, validation, { ...options, stop: options.stop ?? (() => false) });
	if (selection === undefined) return undefined;
	const { model, validationProbabilities, trials } = selection;
	const direction = lengthDirection(train);
	const lengths = lengthScores(
		validation.map((row) => row.text),
		direction,
	);
	return {
		length: { direction, threshold: validationThreshold(labels, lengths) },
		ngram: { model, threshold: validationThreshold(labels, validationProbabilities), trials },
	};
}
