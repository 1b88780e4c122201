import { missingClass, noPositives, undefinedBecause } from './outcome.ts';
import type { CountCurve } from './ranking.ts';

export type RocCurve =
	| {
			readonly status: 'ok';
			readonly falsePositiveRate: number[];
			readonly truePositiveRate: number[];
			/** Falling; the first is Infinity, where nothing is positive. */
			readonly thresholds: number[];
	  }
	| { readonly status: 'undefined'; readonly reason: string };

/**
 * Points of the ROC curve by falling threshold, from (0, 0) to (1, 1).
 * @param dropCollinear leave out points in the middle of a straight line, as scikit-learn does by default. The
 * area stays, but a point that a limit on the false-positive rate would need may be gone.
 */
export function rocCurve(curve: CountCurve, { dropCollinear = true } = {}): RocCurve {
	const missing = missingClass(curve);
	if (missing !== undefined) return undefinedBecause(missing);
	const { truePositives: tp, falsePositives: fp, thresholds } = curve;
	const points = { falsePositiveRate: [0], truePositiveRate: [0], thresholds: [Number.POSITIVE_INFINITY] };
	for (let block = 0; block < thresholds.length; block++) {
		if (dropCollinear && bend(fp, block) === 0 && bend(tp, block) === 0) continue;
		points.falsePositiveRate.push(fp[block]! / curve.negatives);
		points.truePositiveRate.push(tp[block]! / curve.positives);
		points.thresholds.push(thresholds[block]!);
	}
	return { status: 'ok', ...points };
}

/** Second difference of the counts: 0 where the curve goes on in equal steps, NaN at its ends. */
function bend(counts: Float64Array, block: number): number {
	return counts[block + 1]! - 2 * counts[block]! + counts[block - 1]!;
}

export type PrecisionRecallCurve =
	| {
			readonly status: 'ok';
			/** One longer than `thresholds`: the last is 1, at recall 0, and has no threshold. */
			readonly precision: number[];
			readonly recall: number[];
			/** Rising. */
			readonly thresholds: number[];
	  }
	| { readonly status: 'undefined'; readonly reason: string };

/** Precision and recall of the rule score >= threshold at every distinct score, by rising threshold. */
export function precisionRecallCurve(curve: CountCurve): PrecisionRecallCurve {
	if (curve.positives === 0) return undefinedBecause(missingClass(curve) ?? noPositives);
	const precision: number[] = [];
	const recall: number[] = [];
	const thresholds: number[] = [];
	for (let block = curve.thresholds.length - 1; block >= 0; block--) {
		const tp = curve.truePositives[block]!;
		precision.push(tp / (tp + curve.falsePositives[block]!));
		recall.push(tp / curve.positives);
		thresholds.push(curve.thresholds[block]!);
	}
	precision.push(1);
	recall.push(0);
	return { status: 'ok', precision, recall, thresholds };
}
