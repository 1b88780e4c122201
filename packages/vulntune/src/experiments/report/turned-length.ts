import { directionOfScores } from '../../baselines/length.ts';
import type { BaselineScores } from '../../evaluation/baseline-detectors.ts';
import { aucDifference } from '../../evaluation/compare-with-baselines.ts';
import type { Prediction } from '../../evaluation/predictions.ts';
import type { Difference } from '../../evaluation/verdict.ts';
import type { StoredMetric } from '../ledger/results.ts';

/** The length read the other way round, and the run minus it. */
export interface TurnedLength {
	readonly rocAuc: StoredMetric;
	readonly difference: Difference;
	/** As the run has it, shorter first. */
	readonly before: number;
}

/**
 * The baseline of lengths as it would be a straw man: of a run that calls shorter functions vulnerable where the longer ones are, beyond
 * what chance does. Runs that were finished before training rows chose the direction all call the shorter ones.
 *
 * @param rocAuc of the length, as the run has it
 * @param scores of the run's baselines, in the order of the predictions; null where it has none
 * @returns undefined where the baseline stays as it is
 */
export function turnedLength(
	rocAuc: StoredMetric,
	predictions: readonly Prediction[],
	scores: readonly BaselineScores[] | null,
): TurnedLength | undefined {
	const { value, low, high } = rocAuc;
	if (value === null || low === null || high === null || high >= 0.5 || scores === null) return undefined;
	const rows = predictions.flatMap(({ label, probability }, i) => {
		const length = scores[i]!.scores.length;
		return probability === null || length === undefined ? [] : [{ label, probability, length }];
	});
	if (rows.length === 0 || directionOfScores(rows.map(({ length }) => length)) === 'longer') return undefined;
	const labels = rows.map(({ label }) => label);
	const model = { scores: rows.map(({ probability }) => probability) };
	const turned = { scores: rows.map(({ length }) => -length) };
	return {
		rocAuc: { value: 1 - value, low: 1 - high, high: 1 - low, reason: null },
		difference: aucDifference(labels, model, turned),
		before: value,
	};
}
