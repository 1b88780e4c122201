import { rocAuc } from '../../metrics/rank-metrics.ts';
import { curveOf } from '../../metrics/ranking.ts';
import {
	type NgramModel,
	type NgramOptions,
	ngramPath,
	predictNgram,
	type Stoppable,
	type TextRow,
} from './model.ts';

/** One C that was tried. */
export interface NgramTrial {
	readonly inverseRegularization: number;
	/** ROC AUC on validation; null where it has one class. */
	readonly rocAuc: number | null;
	readonly passes: number;
	readonly converged: boolean;
}

export interface NgramSelection {
	readonly model: NgramModel;
	/** [validation rows] */
	readonly validationProbabilities: Float64Array;
	readonly trials: readonly NgramTrial[];
}

export const defaultInverseRegularizations: readonly number[] = [1, 10, 100];

export interface NgramSelectionOptions extends NgramOptions {
	/** Each C to try, rising. */
	readonly inverseRegularizations?: readonly number[] | undefined;
}

/**
 * Trains with each C, rising, and keeps the model with the largest ROC AUC on validation, the smaller C of equals. Once it
 * falls, a larger C is not tried: it would overfit more, and take longest. No test row is looked at.
 *
 * @returns undefined where it was stopped
 */
export function selectNgram(
	train: readonly TextRow[],
	validation: readonly TextRow[],
	options: NgramSelectionOptions & Stoppable,
): NgramSelection | undefined;
export function selectNgram(
	train: readonly TextRow[],
	validation: readonly TextRow[],
	options?: NgramSelectionOptions,
): NgramSelection;
export function selectNgram(
	train: readonly TextRow[],
	validation: readonly TextRow[],
	options: NgramSelectionOptions & Partial<Stoppable> = {},
): NgramSelection | undefined {
	const { inverseRegularizations = defaultInverseRegularizations, stop = () => false } = options;
	const texts = validation.map((row) => row.text);
	const labels = validation.map((row) => row.label);
	const trials: NgramTrial[] = [];
	let best: { model: NgramModel; validationProbabilities: Float64Array; auc: number } | undefined;
	let isStopped = false;
	const asked = () => {
		isStopped ||= stop();
		return isStopped;
	};
	for (const { model, fit } of ngramPath(train, inverseRegularizations, { ...options, stop: asked })) {
		// a fit that was stopped is none
		if (asked()) return undefined;
		const validationProbabilities = predictNgram(model, texts); // [validation rows]
		const outcome = rocAuc(curveOf(labels, validationProbabilities));
		const auc = outcome.status === 'ok' ? outcome.value : null;
		const { passes, converged } = fit;
		trials.push({ inverseRegularization: model.inverseRegularization, rocAuc: auc, passes, converged });
		if (best !== undefined && (auc ?? 0) < best.auc) break;
		if (best === undefined || (auc ?? 0) > best.auc) best = { model, validationProbabilities, auc: auc ?? 0 };
	}
	if (best === undefined) throw new RangeError('expected at least one inverse regularization to try');
	return { model: best.model, validationProbabilities: best.validationProbabilities, trials };
}
