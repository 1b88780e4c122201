import { largestF1 } from './best-f1.ts';
import { brierScore, expectedCalibrationError } from './calibration.ts';
import { defined, missingClass, noPositives, noRows, type Outcome, undefinedBecause } from './outcome.ts';
import { type PairCounts, pairCounts } from './pairs.ts';
import { averagePrecision, recallAtFalsePositiveRate, vulnerabilityDetectionScore } from './rank-metrics.ts';
import type { CountCurve } from './ranking.ts';
import {
	type ConfusionCounts,
	calledRows,
	type ThresholdMetrics,
	type Thresholds,
} from './threshold-metrics.ts';

export interface ScoredRows {
	/** [rows] 1 vulnerable, 0 not */
	readonly labels: ArrayLike<number>;
	/** [rows] probability of vulnerable, or any score that grows with it */
	readonly scores: ArrayLike<number>;
	/** [rows] what is resampled together, as the fix commit; each row alone if absent */
	readonly groups?: ArrayLike<string> | undefined;
	/** From validation. Positive means score >= threshold. */
	readonly threshold: Thresholds;
	readonly seed: number;
	/** [rows] names for error messages */
	readonly ids?: ArrayLike<string> | undefined;
	/** Row numbers of vulnerable functions and their fixes. */
	readonly pairs?: readonly (readonly [vulnerable: number, fixed: number])[] | undefined;
	/** [rows] the weakness of each row (`CWE-79`); null where it has none. For recall per weakness. */
	readonly weaknesses?: ArrayLike<string | null> | undefined;
	/** [rows] the status of each row (`FIXED`); null where it has none. For ROC AUC against the others of each. */
	readonly statuses?: ArrayLike<string | null> | undefined;
	/** False for a score that is no probability: Brier and calibration error are then undefined. Default true. */
	readonly probabilities?: boolean | undefined;
	/** Bootstrap resamples, default 1,000; 0 for no intervals but that of the AUC. */
	readonly resamples?: number | undefined;
}

/** The false-positive rates at which recall is reported. */
export const falsePositiveRates = [0.005, 0.01, 0.05, 0.1] as const;

export const noThreshold = 'no validation threshold is known';
/** Where scores are of several detectors. */
export const severalThresholds = 'every fold has a threshold of its own';
const noProbability = 'the score is not a probability';

/** One resample, or the rows themselves: everything a metric may read. */
export interface Sample {
	readonly curve: CountCurve;
	readonly atThreshold: ThresholdMetrics | undefined;
	/** The four counts at the threshold. */
	readonly confusion: ConfusionCounts | undefined;
	readonly pairs: PairCounts | undefined;
	readonly weights: Float64Array; // [rows]
}

export interface MetricDefinition {
	readonly name: string;
	readonly compute: (sample: Sample) => Outcome;
	/** The rows that it reads; absent for all. */
	readonly rows?: readonly number[];
}

function missingPositives({ truePositives, falsePositives }: ConfusionCounts): string | undefined {
	return truePositives + falsePositives === 0 ? 'no function is called vulnerable' : undefined;
}

function missingNegatives({ trueNegatives, falseNegatives }: ConfusionCounts): string | undefined {
	return trueNegatives + falseNegatives === 0 ? 'every function is called vulnerable' : undefined;
}

/** Metrics of every set of scores, in no particular order. */
export function commonMetrics(rows: ScoredRows): MetricDefinition[] {
	const { labels, scores, probabilities = true } = rows;
	/** A metric at the threshold that needs vulnerable functions, or both classes; and functions that are called so. */
	const atThreshold = (
		name: keyof ThresholdMetrics,
		needs: 'positives' | 'both' | 'rows',
		missingAnswer: (counts: ConfusionCounts) => string | undefined = () => undefined,
	) => ({
		name,
		compute: ({ curve, atThreshold, confusion }: Sample): Outcome => {
			if (atThreshold === undefined || confusion === undefined) return undefinedBecause(noThreshold);
			const missing = missingClass(curve);
			if (missing !== undefined) {
				if (needs === 'both' || missing === noRows) return undefinedBecause(missing);
				if (needs === 'positives' && missing === noPositives) return undefinedBecause(missing);
			}
			const without = missingAnswer(confusion);
			return without === undefined ? defined(atThreshold[name]) : undefinedBecause(without);
		},
	});
	const calibration = (name: string, compute: (weights: Float64Array) => Outcome) => ({
		name,
		compute: ({ weights }: Sample) => (probabilities ? compute(weights) : undefinedBecause(noProbability)),
	});
	return [
		{ name: 'averagePrecision', compute: ({ curve }) => averagePrecision(curve) },
		atThreshold('f1', 'positives'),
		atThreshold('precision', 'positives', missingPositives),
		atThreshold('recall', 'positives'),
		atThreshold('macroF1', 'both'),
		atThreshold('mcc', 'both', (counts) => missingPositives(counts) ?? missingNegatives(counts)),
		atThreshold('accuracy', 'rows'),
		calibration('brier', (weights) => brierScore(labels, scores, weights)),
		calibration('ece', (weights) => expectedCalibrationError(labels, scores, { kind: 'positive' }, weights)),
		calibration('eceConfidence', (weights) =>
			expectedCalibrationError(labels, scores, { kind: 'confidence' }, weights),
		),
		...falsePositiveRates.map((rate) => ({
			name: `recallAt${rate}`,
			compute: ({ curve }: Sample): Outcome => {
				const point = recallAtFalsePositiveRate(curve, rate);
				return point.status === 'ok' ? defined(point.recall) : point;
			},
		})),
		{ name: 'vdS', compute: ({ curve }) => vulnerabilityDetectionScore(curve) },
		{
			name: 'f1_oracle',
			compute: ({ curve }) =>
				curve.positives === 0
					? undefinedBecause(missingClass(curve) ?? noPositives)
					: defined(largestF1(curve)),
		},
	];
}

/** Shares of pairs, and the difference of the two that a coin flip makes equal. */
const pairShares: Readonly<Record<string, (counts: PairCounts) => number>> = {
	correct: ({ correct }) => correct,
	bothVulnerable: ({ bothVulnerable }) => bothVulnerable,
	bothBenign: ({ bothBenign }) => bothBenign,
	reversed: ({ reversed }) => reversed,
	correctMinusReversed: ({ correct, reversed }) => correct - reversed,
	rankedRight: ({ rankedRight }) => rankedRight,
};

/** `pairs.…`: shares of the given pairs; none without pairs. */
export function pairMetrics(rows: ScoredRows): MetricDefinition[] {
	if (rows.pairs === undefined) return [];
	const vulnerableRows = rows.pairs.map(([row]) => row);
	return Object.entries(pairShares).map(([name, share]) => ({
		name: `pairs.${name}`,
		rows: vulnerableRows,
		compute: ({ pairs }) => {
			if (rows.threshold === null && name !== 'rankedRight') return undefinedBecause(noThreshold);
			if (pairs === undefined || pairs.pairs === 0) return undefinedBecause('there are no pairs');
			return defined(share(pairs) / pairs.pairs);
		},
	}));
}

/** Counts the pairs of a resample: a pair is drawn as often as its vulnerable function. */
export function pairCounter(rows: ScoredRows): (weights: Float64Array) => PairCounts | undefined {
	const { pairs, scores, threshold } = rows;
	if (pairs === undefined) return () => undefined;
	const vulnerableRow = Int32Array.from(pairs, ([row]) => row); // [pairs]
	const vulnerable = Float64Array.from(pairs, ([row]) => scores[row]!); // [pairs]
	const fixed = Float64Array.from(pairs, ([, row]) => scores[row]!); // [pairs]
	const thresholds =
		threshold === null || typeof threshold === 'number'
			? (threshold ?? 0)
			: Float64Array.from(vulnerableRow, (row) => threshold[row]!); // [pairs]
	const drawn = new Float64Array(pairs.length); // [pairs]
	return (weights) => {
		for (let pair = 0; pair < drawn.length; pair++) drawn[pair] = weights[vulnerableRow[pair]!]!;
		return pairCounts(vulnerable, fixed, thresholds, { weights: drawn });
	};
}

/** `weakness …`: recall of the rows of one weakness; none without weaknesses. */
export function weaknessMetrics(rows: ScoredRows): MetricDefinition[] {
	const called = calledRows(rows.scores, rows.threshold);
	return weaknessNames(rows).map((weakness) => {
		const members = weaknessRows(rows, weakness);
		return {
			name: `weakness ${weakness}`,
			rows: members,
			compute: ({ weights }) => {
				if (called === undefined) return undefinedBecause(noThreshold);
				let found = 0;
				let total = 0;
				for (const row of members) {
					if (called[row] === 1) found += weights[row]!;
					total += weights[row]!;
				}
				return total === 0 ? undefinedBecause(noPositives) : defined(found / total);
			},
		};
	});
}

/** Weaknesses of the vulnerable rows, the most frequent first, equals by name. */
export function weaknessNames(rows: ScoredRows): string[] {
	const counts = new Map<string, number>();
	for (let row = 0; row < rows.labels.length; row++) {
		const weakness = rows.weaknesses?.[row] ?? null;
		if (rows.labels[row] === 1 && weakness !== null) counts.set(weakness, (counts.get(weakness) ?? 0) + 1);
	}
	return [...counts.entries()].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
}

/** Vulnerable rows of a weakness. */
export function weaknessRows(rows: ScoredRows, weakness: string): number[] {
	const members: number[] = [];
	for (let row = 0; row < rows.labels.length; row++) {
		if (rows.labels[row] === 1 && rows.weaknesses?.[row] === weakness) members.push(row);
	}
	return members;
}
