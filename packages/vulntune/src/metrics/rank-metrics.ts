import { defined, missingClass, noPositives, noRows, type Outcome, undefinedBecause } from './outcome.ts';
import type { CountCurve } from './ranking.ts';

/**
 * Area under the ROC curve: the chance that a vulnerable function scores above another one, a tie counting half.
 * Undefined where one of the classes is missing.
 */
export function rocAuc(curve: CountCurve): Outcome {
	const missing = missingClass(curve);
	if (missing !== undefined) return undefinedBecause(missing);
	let area = 0; // in pairs of one vulnerable and one other function
	let tpBefore = 0;
	let fpBefore = 0;
	for (let block = 0; block < curve.thresholds.length; block++) {
		const tp = curve.truePositives[block]!;
		const fp = curve.falsePositives[block]!;
		area += ((fp - fpBefore) * (tp + tpBefore)) / 2;
		tpBefore = tp;
		fpBefore = fp;
	}
	return defined(area / curve.positives / curve.negatives);
}

/**
 * Average precision: the sum over thresholds of the recall gained times the precision there, without
 * interpolation. Undefined without a vulnerable function.
 */
export function averagePrecision(curve: CountCurve): Outcome {
	if (curve.positives === 0) return undefinedBecause(curve.negatives === 0 ? noRows : noPositives);
	let sum = 0;
	let tpBefore = 0;
	for (let block = 0; block < curve.thresholds.length; block++) {
		const tp = curve.truePositives[block]!;
		if (tp > tpBefore) sum += ((tp - tpBefore) * tp) / (tp + curve.falsePositives[block]!);
		tpBefore = tp;
	}
	return defined(sum / curve.positives);
}

/** The best recall that a limit on the false-positive rate leaves, and where it is reached. */
export type OperatingPoint =
	| {
			readonly status: 'ok';
			readonly recall: number;
			/** The largest threshold (score >= threshold) with that recall; Infinity where nothing may be positive. */
			readonly threshold: number;
			readonly falsePositiveRate: number;
	  }
	| { readonly status: 'undefined'; readonly reason: string };

/**
 * Largest recall over all thresholds whose false-positive rate is at most `limit` (equality allowed).
 * @param limit rate from 0 to 1
 */
export function recallAtFalsePositiveRate(curve: CountCurve, limit: number): OperatingPoint {
	const missing = missingClass(curve);
	if (missing !== undefined) return undefinedBecause(missing);
	let best = { truePositives: 0, falsePositives: 0, threshold: Number.POSITIVE_INFINITY };
	for (let block = 0; block < curve.thresholds.length; block++) {
		const falsePositives = curve.falsePositives[block]!;
		if (falsePositives / curve.negatives > limit) break;
		const truePositives = curve.truePositives[block]!;
		if (truePositives > best.truePositives) {
			best = { truePositives, falsePositives, threshold: curve.thresholds[block]! };
		}
	}
	return {
		status: 'ok',
		recall: best.truePositives / curve.positives,
		threshold: best.threshold,
		falsePositiveRate: best.falsePositives / curve.negatives,
	};
}

/**
 * Vulnerability detection score (Ding et al., PrimeVul, 2024): the smallest false-negative rate at a
 * false-positive rate of at most `limit`. Smaller is better.
 */
export function vulnerabilityDetectionScore(curve: CountCurve, limit = 0.005): Outcome {
	const point = recallAtFalsePositiveRate(curve, limit);
	return point.status === 'ok' ? defined(1 - point.recall) : point;
}
