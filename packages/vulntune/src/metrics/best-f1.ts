import { precisionRecallCurve } from './curves.ts';
import { missingClass } from './outcome.ts';
import { type CountCurve, curveOf } from './ranking.ts';

export type BestF1 =
	| {
			readonly status: 'ok';
			/** To be applied as score >= threshold: only then does the F1 on the curve come out. */
			readonly threshold: number;
			/** F1 at that threshold, lowered by at most 1e-13 through the guard against 0/0. */
			readonly f1: number;
			/** Place on the precision-recall curve. */
			readonly index: number;
	  }
	| { readonly status: 'undefined'; readonly reason: string };

/**
 * The threshold with the largest F1 on the precision-recall curve, the smallest of equals. Meant for the
 * validation split; on scored labels it gives what we call `f1_oracle`.
 */
export function bestF1Threshold(curve: CountCurve): BestF1 {
	const points = precisionRecallCurve(curve);
	if (points.status !== 'ok') return points;
	let index = 0;
	let f1 = -1;
	for (let place = 0; place < points.thresholds.length; place++) {
		const precision = points.precision[place]!;
		const recall = points.recall[place]!;
		const here = (2 * precision * recall) / (precision + recall + 1e-13);
		if (here > f1) {
			f1 = here;
			index = place;
		}
	}
	return { status: 'ok', threshold: points.thresholds[index]!, f1, index };
}

/**
 * The threshold that validation scores choose for a detector: the one of {@link bestF1Threshold}; null where validation has one class
 * only, on which every threshold below or above all scores is as good as any.
 *
 * @param labels [rows] 0 or 1
 * @param scores [rows]
 */
export function validationThreshold(labels: ArrayLike<number>, scores: ArrayLike<number>): number | null {
	const curve = curveOf(labels, scores);
	if (missingClass(curve) !== undefined) return null;
	const best = bestF1Threshold(curve);
	return best.status === 'ok' ? best.threshold : null;
}

/** The largest F1 that any threshold reaches on these very labels. 0 where there is no vulnerable function. */
export function largestF1(curve: CountCurve): number {
	let largest = 0;
	for (let block = 0; block < curve.thresholds.length; block++) {
		const tp = curve.truePositives[block]!;
		if (tp === 0) continue;
		largest = Math.max(largest, (2 * tp) / (tp + curve.falsePositives[block]! + curve.positives));
	}
	return largest;
}
