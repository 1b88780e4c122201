import { type BootstrapOptions, bootstrap, pairedBootstrap, percentileInterval } from './bootstrap.ts';
import { type Calibration, type CalibrationMethod, calibrated } from './calibrate.ts';
import { brierScore, expectedCalibrationError } from './calibration.ts';
import { withInterval } from './evaluate-scores.ts';
import type { Metric } from './evaluation.ts';
import { defined, type Outcome } from './outcome.ts';

/** How far probabilities lie from what they say. */
export interface CalibrationMetrics {
	/** Expected calibration error in 15 bins of the probability. */
	readonly ece: Metric;
	readonly brier: Metric;
}

/** What a map that validation fitted makes of probabilities that it has not seen. */
export interface CalibratedMetrics extends CalibrationMetrics {
	/** [rows] */
	readonly probabilities: readonly number[];
	/** ECE behind the map minus that before, on the same resamples. */
	readonly change: Metric;
}

export interface CalibrationEffect {
	readonly before: CalibrationMetrics;
	readonly after: Readonly<Record<CalibrationMethod, CalibratedMetrics>>;
}

/**
 * Calibration error and Brier score of a detector's probabilities, and of what each of its maps makes of them, with 95 % intervals.
 * The labels are of another split than the one that the maps were fitted on, or the numbers flatter them.
 *
 * @param labels [rows] 0 or 1
 * @param probabilities [rows] as the detector gives them
 * @param options how the rows are resampled; those of an evaluation give its intervals
 */
export function calibrationEffect(
	labels: readonly number[],
	probabilities: readonly number[],
	calibration: Calibration,
	options: BootstrapOptions,
): CalibrationEffect {
	const errorOf = (scores: readonly number[], weights?: Float64Array) =>
		expectedCalibrationError(labels, scores, { kind: 'positive' }, weights);
	const measure = (scores: readonly number[]): CalibrationMetrics => {
		const all = (weights?: Float64Array) => [errorOf(scores, weights), brierScore(labels, scores, weights)];
		const resampled = bootstrap(options, 2, (weights) => all(weights).map(numberOf));
		const [ece, brier] = all().map((outcome, index) =>
			withInterval(outcome, percentileInterval(resampled[index]!, options.groups)),
		);
		return { ece: ece!, brier: brier! };
	};
	const before = measure(probabilities);
	const behind = (method: CalibrationMethod): CalibratedMetrics => {
		const scores = probabilities.map((probability) => calibrated(calibration, method, probability));
		const difference = (weights?: Float64Array) =>
			numberOf(errorOf(scores, weights)) - numberOf(errorOf(probabilities, weights));
		const change = withInterval(defined(difference()), pairedBootstrap(options, difference).interval);
		return { ...measure(scores), probabilities: scores, change };
	};
	return { before, after: { temperature: behind('temperature'), isotonic: behind('isotonic') } };
}

function numberOf(outcome: Outcome): number {
	return outcome.status === 'ok' ? outcome.value : Number.NaN;
}
