import type { CountCurve } from './ranking.ts';

/** `inclusive` (ours): positive means score >= threshold. `strict`: score > threshold, as the reference code has it. */
export type PositiveRule = 'inclusive' | 'strict';

export interface ConfusionCounts {
	readonly truePositives: number;
	readonly falsePositives: number;
	readonly falseNegatives: number;
	readonly trueNegatives: number;
}

/** One threshold for all rows, or [rows] one for each: scores of several detectors, each with its own. null where none is known. */
export type Thresholds = number | ArrayLike<number> | null;

/** [rows] whether each row is called vulnerable; undefined without a threshold. */
export function calledRows(scores: ArrayLike<number>, thresholds: Thresholds): Uint8Array | undefined {
	if (thresholds === null) return undefined;
	const at = (row: number) => (typeof thresholds === 'number' ? thresholds : thresholds[row]!);
	return Uint8Array.from(scores, (score, row) => (score >= at(row) ? 1 : 0));
}

/**
 * The four counts of calls that were made before.
 *
 * @param weights [rows] how often each row counts
 */
export function confusionOf(
	labels: ArrayLike<number>,
	called: Uint8Array,
	weights: ArrayLike<number>,
): ConfusionCounts {
	const counts = [0, 0, 0, 0];
	for (let row = 0; row < called.length; row++) counts[2 * labels[row]! + called[row]!]! += weights[row]!;
	const [trueNegatives, falsePositives, falseNegatives, truePositives] = counts as [
		number,
		number,
		number,
		number,
	];
	return { truePositives, falsePositives, falseNegatives, trueNegatives };
}

/** The four counts at a threshold. O(log distinct scores). */
export function confusionAt(
	curve: CountCurve,
	threshold: number,
	rule: PositiveRule = 'inclusive',
): ConfusionCounts {
	let low = 0;
	let high = curve.thresholds.length; // first block that is not positive
	while (low < high) {
		const middle = (low + high) >> 1;
		const score = curve.thresholds[middle]!;
		if (rule === 'inclusive' ? score >= threshold : score > threshold) low = middle + 1;
		else high = middle;
	}
	const truePositives = low === 0 ? 0 : curve.truePositives[low - 1]!;
	const falsePositives = low === 0 ? 0 : curve.falsePositives[low - 1]!;
	return {
		truePositives,
		falsePositives,
		falseNegatives: curve.positives - truePositives,
		trueNegatives: curve.negatives - falsePositives,
	};
}

export interface ThresholdMetrics {
	readonly precision: number;
	readonly recall: number;
	/** F1 of the vulnerable class. */
	readonly f1: number;
	/** Mean of the F1 of both classes. */
	readonly macroF1: number;
	readonly accuracy: number;
	/** Matthews correlation coefficient, -1 to 1. */
	readonly mcc: number;
}

/**
 * Metrics of the four counts. 0/0 is 0, as in scikit-learn; where a class is missing altogether, or an answer that a metric needs,
 * {@link evaluateScores} says undefined instead.
 */
export function thresholdMetrics(counts: ConfusionCounts): ThresholdMetrics {
	const { truePositives: tp, falsePositives: fp, falseNegatives: fn, trueNegatives: tn } = counts;
	const f1 = ratio(2 * tp, 2 * tp + fp + fn);
	const f1OfNegatives = ratio(2 * tn, 2 * tn + fp + fn);
	return {
		precision: ratio(tp, tp + fp),
		recall: ratio(tp, tp + fn),
		f1,
		macroF1: (f1 + f1OfNegatives) / 2,
		accuracy: ratio(tp + tn, tp + fp + fn + tn),
		mcc: correlation(
			tp * tn - fp * fn,
			Math.sqrt(tp + fp) * Math.sqrt(tp + fn) * Math.sqrt(tn + fp) * Math.sqrt(tn + fn),
		),
	};
}

/** A ratio between −1 and 1, from which rounding of the roots may not lead out. */
function correlation(numerator: number, denominator: number): number {
	return Math.max(-1, Math.min(1, ratio(numerator, denominator)));
}

function ratio(numerator: number, denominator: number): number {
	return denominator === 0 ? 0 : numerator / denominator;
}
