import { normal975, twoSidedNormal } from './normal.ts';
import { missingClass, undefinedBecause } from './outcome.ts';
import { countCurve, rankScores } from './ranking.ts';
import { twoSidedStudent } from './student.ts';

const oneItem = 'a class with one function leaves the variance of the AUC undefined';

export type DelongInterval =
	| {
			readonly status: 'ok';
			readonly auc: number;
			readonly variance: number;
			/** Normal 95 % interval; may leave [0, 1]. */
			readonly low: number;
			readonly high: number;
	  }
	| { readonly status: 'undefined'; readonly reason: string };

/**
 * ROC AUC with its variance after DeLong, DeLong and Clarke-Pearson (1988), denominators n - 1, and the
 * normal 95 % interval. O(n log n), ties counting half. Undefined without two functions of each class.
 * @param labels [rows] 0 or 1
 * @param scores [rows] finite
 */
export function delongInterval(labels: ArrayLike<number>, scores: ArrayLike<number>): DelongInterval {
	const parts = placements(labels, scores);
	if ('reason' in parts) return undefinedBecause(parts.reason);
	const variance = covariance(parts, parts);
	const halfWidth = normal975 * Math.sqrt(variance);
	return {
		status: 'ok',
		auc: parts.auc,
		variance,
		low: parts.auc - halfWidth,
		high: parts.auc + halfWidth,
	};
}

export interface DelongComparison {
	readonly aucA: number;
	readonly aucB: number;
	/** aucA - aucB */
	readonly difference: number;
	readonly varianceA: number;
	readonly varianceB: number;
	readonly covariance: number;
	readonly test:
		| {
				readonly status: 'ok';
				readonly variance: number;
				readonly z: number;
				/** Two-sided. */
				readonly p: number;
				/** Normal 95 % interval of the difference. */
				readonly low: number;
				readonly high: number;
		  }
		| { readonly status: 'undefined'; readonly reason: string };
}

/**
 * Compares the ROC AUC of two scores of the same functions (DeLong et al., 1988).
 * The test is undefined where the variance of the difference is 0, as for two equal rankings.
 * @param labels [rows] 0 or 1
 * @param a [rows] finite
 * @param b [rows] finite
 */
export function pairedDelong(
	labels: ArrayLike<number>,
	a: ArrayLike<number>,
	b: ArrayLike<number>,
): DelongComparison | { readonly status: 'undefined'; readonly reason: string } {
	const partsA = placements(labels, a);
	const partsB = placements(labels, b);
	if ('reason' in partsA) return undefinedBecause(partsA.reason);
	if ('reason' in partsB) return undefinedBecause(partsB.reason);
	const varianceA = covariance(partsA, partsA);
	const varianceB = covariance(partsB, partsB);
	const shared = covariance(partsA, partsB);
	const difference = partsA.auc - partsB.auc;
	const variance = varianceA + varianceB - 2 * shared;
	const common = { aucA: partsA.auc, aucB: partsB.auc, difference, varianceA, varianceB, covariance: shared };
	// what remains of equal variances after rounding is no variance
	if (variance <= 1e-14 * (varianceA + varianceB)) {
		return { ...common, test: undefinedBecause('the variance of the difference is 0') };
	}
	const deviation = Math.sqrt(variance);
	const z = difference / deviation;
	return {
		...common,
		test: {
			status: 'ok',
			variance,
			z,
			p: twoSidedNormal(z),
			low: difference - normal975 * deviation,
			high: difference + normal975 * deviation,
		},
	};
}

/** How two kinds of runs differ that were made several times, with other seeds. */
export interface RunsDifference {
	/** Mean ROC AUC of a minus that of b. */
	readonly difference: number;
	/** Of each pair of runs. */
	readonly differences: readonly number[];
	/** Two-sided; null where nothing varies. */
	readonly p: number | null;
}

/**
 * Compares two kinds of runs by the mean difference of their ROC AUC on the same functions. Two things could be otherwise: the functions
 * (DeLong's variance of the mean difference, whose terms are the means over the runs) and the seeds (the variance of the runs' differences, over
 * their number). Both add up, and the seeds' few degrees of freedom make it a test of Student's after Satterthwaite (1946). The runs' differences
 * vary with the functions too, so that it errs on the side of no difference. Undefined without two functions of each class.
 * @param labels [rows] 0 or 1
 * @param runs at least two; scores [rows] of each
 */
export function delongOfRuns(
	labels: ArrayLike<number>,
	runs: readonly { readonly a: ArrayLike<number>; readonly b: ArrayLike<number> }[],
): RunsDifference | undefined {
	const gaps: Placements[] = [];
	for (const { a, b } of runs) {
		const [ofA, ofB] = [placements(labels, a), placements(labels, b)];
		if ('reason' in ofA || 'reason' in ofB) return undefined;
		gaps.push({
			auc: ofA.auc - ofB.auc,
			ofPositives: ofA.ofPositives.map((share, i) => share - ofB.ofPositives[i]!),
			ofNegatives: ofA.ofNegatives.map((share, i) => share - ofB.ofNegatives[i]!),
		});
	}
	const meanOf = (part: (gap: Placements) => Float64Array) =>
		part(gaps[0]!).map((_, i) => gaps.reduce((sum, gap) => sum + part(gap)[i]!, 0) / gaps.length);
	const differences = gaps.map(({ auc }) => auc);
	const ofRuns = Float64Array.from(differences);
	const whole: Placements = {
		auc: mean(ofRuns),
		ofPositives: meanOf(({ ofPositives }) => ofPositives),
		ofNegatives: meanOf(({ ofNegatives }) => ofNegatives),
	};
	const ofSeeds = sampleCovariance(ofRuns, ofRuns) / gaps.length;
	const variance = covariance(whole, whole) + ofSeeds;
	const degrees = variance ** 2 / (ofSeeds ** 2 / (gaps.length - 1));
	const p = variance === 0 ? null : twoSidedStudent(whole.auc / Math.sqrt(variance), degrees);
	return { difference: whole.auc, differences, p };
}

interface Placements {
	readonly auc: number;
	/** Of each vulnerable function the share of others that it outranks, ties half. */
	readonly ofPositives: Float64Array; // [positives], in row order
	/** Of each other function the share of vulnerable ones that outrank it, ties half. */
	readonly ofNegatives: Float64Array; // [negatives], in row order
}

function placements(labels: ArrayLike<number>, scores: ArrayLike<number>): Placements | { reason: string } {
	const ranking = rankScores(scores);
	const curve = countCurve(ranking, labels);
	const missing = missingClass(curve);
	if (missing !== undefined) return { reason: missing };
	if (curve.positives < 2 || curve.negatives < 2) return { reason: oneItem };
	const byRow = new Float64Array(labels.length); // [rows]
	let start = 0;
	let tpBefore = 0;
	let fpBefore = 0;
	for (let block = 0; block < ranking.ends.length; block++) {
		const tp = curve.truePositives[block]!;
		const fp = curve.falsePositives[block]!;
		for (let place = start; place < ranking.ends[block]!; place++) {
			const row = ranking.order[place]!;
			byRow[row] =
				labels[row] === 1
					? (curve.negatives - (fp + fpBefore) / 2) / curve.negatives
					: (tp + tpBefore) / 2 / curve.positives;
		}
		start = ranking.ends[block]!;
		tpBefore = tp;
		fpBefore = fp;
	}
	const ofPositives = byRow.filter((_, row) => labels[row] === 1); // [positives]
	const ofNegatives = byRow.filter((_, row) => labels[row] === 0); // [negatives]
	return { auc: mean(ofPositives), ofPositives, ofNegatives };
}

function covariance(a: Placements, b: Placements): number {
	return (
		sampleCovariance(a.ofPositives, b.ofPositives) / a.ofPositives.length +
		sampleCovariance(a.ofNegatives, b.ofNegatives) / a.ofNegatives.length
	);
}

function sampleCovariance(a: Float64Array, b: Float64Array): number {
	const meanA = mean(a);
	const meanB = mean(b);
	let sum = 0;
	for (let item = 0; item < a.length; item++) sum += (a[item]! - meanA) * (b[item]! - meanB);
	return sum / (a.length - 1);
}

function mean(values: Float64Array): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}
