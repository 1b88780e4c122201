import { inputError } from '@vulntune/engine';
import { bestF1Threshold } from './best-f1.ts';
import {
	bootstrap,
	defaultResamples,
	groupRows,
	type Interval,
	percentileInterval,
	ungroupedRows,
} from './bootstrap.ts';
import { delongInterval } from './delong.ts';
import type { Evaluation, Metric } from './evaluation.ts';
import {
	commonMetrics,
	falsePositiveRates,
	noThreshold,
	pairCounter,
	pairMetrics,
	type Sample,
	type ScoredRows,
	severalThresholds,
	weaknessMetrics,
	weaknessNames,
	weaknessRows,
} from './metric-definitions.ts';
import { type Outcome, undefinedBecause } from './outcome.ts';
import { rocAuc } from './rank-metrics.ts';
import { type CountCurve, countCurve, curveOf, rankScores } from './ranking.ts';
import {
	calledRows,
	confusionAt,
	confusionOf,
	type Thresholds,
	thresholdMetrics,
} from './threshold-metrics.ts';
import { validateScores } from './validate.ts';

/**
 * Every metric of binary detection with its 95 % interval: DeLong for the ROC AUC, percentile bootstrap over
 * groups for the others. Deterministic for a seed. What the data leave open is null with the reason.
 * @throws VulntuneError naming the row whose score is not finite or whose label is not 0 or 1
 */
export function evaluateScores(rows: ScoredRows): Evaluation {
	const { labels, scores, threshold, seed } = rows;
	validateScores(labels, scores, rows.ids);
	checkLengths(rows);
	const groups = rows.groups === undefined ? ungroupedRows(labels.length) : groupRows(rows.groups);
	const ranking = rankScores(scores);
	// of a single threshold the curve tells the counts at once
	const called = typeof threshold === 'number' ? undefined : calledRows(scores, threshold);
	const countCalls = (curve: CountCurve, weights: Float64Array) => {
		if (typeof threshold === 'number') return confusionAt(curve, threshold);
		return called && confusionOf(labels, called, weights);
	};
	const countPairs = pairCounter(rows);
	const sample = (weights: Float64Array): Sample => {
		const curve = countCurve(ranking, labels, weights);
		const confusion = countCalls(curve, weights);
		const atThreshold = confusion === undefined ? undefined : thresholdMetrics(confusion);
		return { curve, atThreshold, confusion, pairs: countPairs(weights), weights };
	};
	const definitions = [...commonMetrics(rows), ...pairMetrics(rows), ...weaknessMetrics(rows)];
	const whole = sample(new Float64Array(labels.length).fill(1));
	const values = definitions.map(({ compute }) => compute(whole));

	const resamples = rows.resamples ?? defaultResamples;
	const resampled =
		resamples === 0
			? []
			: bootstrap({ groups, seed, resamples }, definitions.length, (weights) => {
					const drawn = sample(weights);
					return definitions.map(({ compute }, index) => {
						if (values[index]!.status !== 'ok') return Number.NaN;
						const outcome = compute(drawn);
						return outcome.status === 'ok' ? outcome.value : Number.NaN;
					});
				});
	const metrics = new Map<string, Metric>();
	for (const [index, { name, rows: read }] of definitions.entries()) {
		const interval: Interval =
			resamples === 0
				? undefinedBecause('no resamples were asked for')
				: percentileInterval(resampled[index]!, groups, read);
		metrics.set(name, withInterval(values[index]!, interval));
	}
	const metric = (name: string) => metrics.get(name)!;

	const { curve } = whole;
	const oracle = bestF1Threshold(curve);
	return {
		counts: {
			functions: labels.length,
			positives: curve.positives,
			negatives: curve.negatives,
			groups: groups.count,
		},
		threshold: thresholdShown(threshold),
		confusion: whole.confusion ?? null,
		rocAuc: aucMetric(curve, labels, scores),
		averagePrecision: metric('averagePrecision'),
		f1: metric('f1'),
		precision: metric('precision'),
		recall: metric('recall'),
		macroF1: metric('macroF1'),
		mcc: metric('mcc'),
		accuracy: metric('accuracy'),
		brier: metric('brier'),
		ece: metric('ece'),
		eceConfidence: metric('eceConfidence'),
		recallAtFalsePositiveRate: Object.fromEntries(
			falsePositiveRates.map((rate) => [String(rate), metric(`recallAt${rate}`)]),
		),
		vdS: metric('vdS'),
		f1_oracle: { ...metric('f1_oracle'), threshold: oracle.status === 'ok' ? oracle.threshold : null },
		pairs:
			rows.pairs === undefined
				? null
				: {
						count: rows.pairs.length,
						correct: metric('pairs.correct'),
						bothVulnerable: metric('pairs.bothVulnerable'),
						bothBenign: metric('pairs.bothBenign'),
						reversed: metric('pairs.reversed'),
						correctMinusReversed: metric('pairs.correctMinusReversed'),
						ranking: metric('pairs.rankedRight'),
					},
		recallByWeakness:
			rows.weaknesses === undefined
				? null
				: weaknessNames(rows).map((name) => ({
						weakness: name,
						positives: weaknessRows(rows, name).length,
						recall: metric(`weakness ${name}`),
					})),
		rocAucByStatus: areasByStatus(rows),
		bootstrap: { resamples, seed },
	};
}

/** The vulnerable rows against the others of each status. */
function areasByStatus({ labels, scores, statuses }: ScoredRows): Evaluation['rocAucByStatus'] {
	const members = new Map<string, number[]>();
	for (let row = 0; row < labels.length; row++) {
		const status = statuses?.[row] ?? null;
		if (labels[row] === 1 || status === null) continue;
		const own = members.get(status) ?? [];
		members.set(status, own);
		own.push(row);
	}
	if (members.size < 2) return null;
	const positives = Array.from(labels as ArrayLike<number>, (label, row) =>
		label === 1 ? [row] : [],
	).flat();
	return [...members]
		.sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1))
		.map(([status, negatives]) => {
			const chosen = [...positives, ...negatives];
			const ownLabels = chosen.map((row) => labels[row]!);
			const ownScores = chosen.map((row) => scores[row]!);
			const rocAuc = aucMetric(curveOf(ownLabels, ownScores), ownLabels, ownScores);
			return { status, negatives: negatives.length, rocAuc };
		});
}

function thresholdShown(threshold: Thresholds): Evaluation['threshold'] {
	if (threshold === null) return { value: null, reason: noThreshold };
	return typeof threshold === 'number' ? { value: threshold } : { value: null, reason: severalThresholds };
}

function checkLengths(rows: ScoredRows): void {
	const { labels, groups, weaknesses, statuses, pairs, threshold } = rows;
	const thresholds = typeof threshold === 'number' || threshold === null ? undefined : threshold;
	for (const [name, values] of Object.entries({ groups, weaknesses, statuses, thresholds })) {
		if (values !== undefined && values.length !== labels.length) {
			throw inputError(
				'SCORES_LENGTH',
				`expected ${labels.length} ${name}, one per label, found ${values.length}`,
			);
		}
	}
	for (const [vulnerable, fixed] of pairs ?? []) {
		if (labels[vulnerable] === 1 && labels[fixed] === 0) continue;
		throw inputError(
			'PAIR_LABELS',
			`expected a pair of a vulnerable and a fixed function, found rows ${vulnerable} and ${fixed} ` +
				`with labels ${labels[vulnerable]} and ${labels[fixed]}`,
		);
	}
}

function aucMetric(curve: CountCurve, labels: ArrayLike<number>, scores: ArrayLike<number>): Metric {
	const auc = rocAuc(curve);
	const delong = delongInterval(labels, scores);
	if (delong.status === 'ok' && delong.variance === 0 && delong.auc !== 0.5) {
		return withInterval(
			auc,
			undefinedBecause('the classes are separated without overlap, which leaves DeLong no variance'),
		);
	}
	return withInterval(
		auc,
		delong.status === 'ok'
			? { status: 'ok', low: Math.max(0, delong.low), high: Math.min(1, delong.high) }
			: delong,
	);
}

/** A metric as it is printed. */
export function withInterval(outcome: Outcome, interval: Interval): Metric {
	if (outcome.status !== 'ok') return { value: null, reason: outcome.reason };
	if (interval.status !== 'ok')
		return { value: outcome.value, low: null, high: null, reason: interval.reason };
	return { value: outcome.value, low: interval.low, high: interval.high };
}
