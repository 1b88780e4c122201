import { defined, noRows, type Outcome, undefinedBecause } from './outcome.ts';

/**
 * Brier score: mean squared distance of the probability from the label. Smaller is better.
 * @param labels [rows] 0 or 1
 * @param probabilities [rows] 0 to 1
 * @param weights [rows] how often each row counts; once each if absent
 */
export function brierScore(
	labels: ArrayLike<number>,
	probabilities: ArrayLike<number>,
	weights?: ArrayLike<number>,
): Outcome {
	let sum = 0;
	let total = 0;
	for (let row = 0; row < labels.length; row++) {
		const weight = weights === undefined ? 1 : weights[row]!;
		sum += weight * (probabilities[row]! - labels[row]!) ** 2;
		total += weight;
	}
	return total === 0 ? undefinedBecause(noRows) : defined(sum / total);
}

export interface CalibrationOptions {
	/** Bin b of n holds (b/n, (b+1)/n], the first also 0. */
	readonly bins?: number;
	/**
	 * `positive`: the probability against the share of vulnerable functions. `confidence` (Guo et al., 2017):
	 * max(p, 1 - p) against the accuracy of the rule p > 0.5.
	 */
	readonly kind?: 'positive' | 'confidence';
}

/**
 * Expected calibration error: mean over bins, by their share of the rows, of |mean probability - share right|.
 * @param labels [rows] 0 or 1
 * @param probabilities [rows] 0 to 1
 * @param weights [rows] how often each row counts; once each if absent
 */
export function expectedCalibrationError(
	labels: ArrayLike<number>,
	probabilities: ArrayLike<number>,
	{ bins = 15, kind = 'positive' }: CalibrationOptions = {},
	weights?: ArrayLike<number>,
): Outcome {
	const excess = new Float64Array(bins); // [bins], sum of (confidence - right)
	let total = 0;
	for (let row = 0; row < labels.length; row++) {
		const weight = weights === undefined ? 1 : weights[row]!;
		const probability = probabilities[row]!;
		let confidence = probability;
		let right = labels[row]!;
		if (kind === 'confidence') {
			confidence = Math.max(probability, 1 - probability);
			right = probability > 0.5 ? right : 1 - right;
		}
		const bin = Math.max(0, Math.ceil(confidence * bins) - 1);
		excess[bin]! += weight * (confidence - right);
		total += weight;
	}
	if (total === 0) return undefinedBecause(noRows);
	return defined(excess.reduce((sum, value) => sum + Math.abs(value), 0) / total);
}
