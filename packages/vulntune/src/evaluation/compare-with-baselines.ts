import { inputError } from '@vulntune/engine';
import type { Baselines } from '../baselines/fit-baselines.ts';
import { pairRows } from '../data/pair-rows.ts';
import { defaultResamples, groupRows, pairedBootstrap, type RowGroups } from '../metrics/bootstrap.ts';
import { pairedDelong } from '../metrics/delong.ts';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import { normal975, twoSidedNormal } from '../metrics/normal.ts';
import { rocAuc } from '../metrics/rank-metrics.ts';
import { countCurve, rankScores } from '../metrics/ranking.ts';
import { calledRows, confusionOf, type Thresholds } from '../metrics/threshold-metrics.ts';
import { validateScores } from '../metrics/validate.ts';
import { baselineDetectors, type Detector, type Ranking } from './baseline-detectors.ts';
import { type GroupedBy, groupsOf } from './groups.ts';
import { type Difference, verdict } from './verdict.ts';

/** One function of the evaluated split with the model's answer. */
export interface EvaluatedRow {
	readonly id: string | number;
	readonly label: 0 | 1;
	/** Source text, for the baselines. */
	readonly text: string;
	/** The model's probability of vulnerable; null where the function was not scored. */
	readonly probability: number | null;
	/** The fix commit. */
	readonly group?: string | undefined;
	/** What of a cross-validation is never parted: resampled together instead of commits. */
	readonly cluster?: string | undefined;
	readonly functionName?: string | undefined;
	readonly weakness?: string | undefined;
	/** Such as `FIXED` or `NOT_VULNERABLE`. */
	readonly status?: string | undefined;
}

interface CommonOptions {
	/** Name of the model's row. Default `model`. */
	readonly name?: string | undefined;
	/** The model's threshold from validation, or [rows] those of its folds. */
	readonly threshold: Thresholds;
	/** Default 1. */
	readonly seed?: number | undefined;
	/** Bootstrap resamples, default 1,000. */
	readonly resamples?: number | undefined;
}

export interface ComparisonOptions extends CommonOptions {
	/** undefined where there is nothing to fit them on: all-positive is then the only one. */
	readonly baselines: Baselines | undefined;
	/** A baseline that is the model itself. */
	readonly without?: 'ngram' | undefined;
}

export interface ComparisonRow {
	readonly name: string;
	readonly kind: 'model' | 'baseline';
	/** Functions that the model did not score; the baselines are measured on the same functions as the model. */
	readonly missing: number;
	readonly evaluation: Evaluation;
	/** Model minus this baseline, on the same functions; null in the model's own row. */
	readonly against: {
		/** DeLong's test, which takes rows for independent. */
		readonly rocAuc: Difference;
		/** The same by a bootstrap of clusters; where rows have them. */
		readonly rocAucByCluster?: Difference;
		readonly f1: Difference;
	} | null;
}

/** What `vulntune evaluate` prints with `--json`. */
export interface Comparison {
	readonly schema: 'vulntune.comparison/1';
	readonly missing: { readonly count: number; readonly positives: number };
	readonly groupedBy: GroupedBy;
	/** The model first, then `all-positive`, `length`, `ngram`, or what else it is compared with. */
	readonly rows: readonly ComparisonRow[];
	/** Whether the model beats the baselines, in one or two sentences. */
	readonly verdict: string;
}

/**
 * The model beside the trivial detectors on the functions that it scored: see {@link compareDetectors}.
 * @throws VulntuneError naming the row whose probability is no number
 */
export function compareWithBaselines(
	rows: readonly EvaluatedRow[],
	{ baselines, without, ...options }: ComparisonOptions,
): Comparison {
	const others = baselineDetectors(
		rows.map((row) => row.text),
		baselines,
	);
	return compareDetectors(rows, {
		...options,
		kind: 'baseline',
		others: others.filter((detector) => detector.name !== without),
	});
}

export interface DetectorComparison extends CommonOptions {
	/** What the model is compared with; [rows] scores each. */
	readonly others: readonly Detector[];
	readonly kind: ComparisonRow['kind'];
}

/**
 * A model beside other detectors on the functions that it scored: all metrics with intervals, and for each other one a paired test of
 * the difference in ROC AUC (DeLong; by clusters too where rows have them) and in F1 at the validation thresholds (bootstrap over
 * commits or clusters). p values are not corrected for the number of detectors.
 * @throws VulntuneError naming the row whose probability is no number
 */
export function compareDetectors(
	rows: readonly EvaluatedRow[],
	{ name = 'model', threshold, others, kind, seed = 1, resamples }: DetectorComparison,
): Comparison {
	const isScored = rows.map((row) => row.probability !== null);
	const scored = rows.filter((_, row) => isScored[row]);
	const unscored = rows.filter((_, row) => !isScored[row]);
	const ofScored = (detector: Detector): Detector => ({
		...detector,
		scores: detector.scores.filter((_, row) => isScored[row]),
		threshold: isSingle(detector.threshold)
			? detector.threshold
			: Array.from(detector.threshold).filter((_, row) => isScored[row]),
	});
	const labels = scored.map((row) => row.label);
	const ids = scored.map((row) => String(row.id));
	const { groups, groupedBy } = groupsOf(
		scored.map((row) => row.group),
		scored.map((row) => row.cluster),
	);
	const pairs = pairRows(scored);
	const common = {
		...{ labels, ids, groups, seed, resamples },
		pairs: pairs.length > 0 ? pairs : undefined,
		weaknesses: scored.some((row) => row.weakness !== undefined)
			? scored.map((row) => row.weakness ?? null)
			: undefined,
		statuses: scored.map((row) => row.status ?? null),
	};
	const probabilities = rows.map((row) => row.probability ?? Number.NaN);
	const model = ofScored({ name, scores: probabilities, threshold });
	validateScores(labels, model.scores, ids);
	const outside = model.scores.findIndex((score) => score < 0 || score > 1);
	if (outside >= 0) {
		throw inputError(
			'PROBABILITY_RANGE',
			`expected a probability from 0 to 1, found ${model.scores[outside]}`,
			{
				place: `row ${ids[outside]}`,
			},
		);
	}
	const grouped = groupRows(groups);
	const bootstrapping = [grouped, seed, resamples ?? defaultResamples] as const;
	const table = [model, ...others.map(ofScored)].map((detector): ComparisonRow => {
		const evaluation = evaluateScores({ ...common, ...detector });
		if (detector === model) {
			return { name, kind: 'model', missing: unscored.length, evaluation, against: null };
		}
		const against = {
			rocAuc: aucDifference(labels, model, detector),
			...(groupedBy === 'cluster'
				? { rocAucByCluster: clusteredAucDifference(labels, model, detector, ...bootstrapping) }
				: {}),
			f1: f1Difference(labels, model, detector, ...bootstrapping),
		};
		return { name: detector.name, kind, missing: unscored.length, evaluation, against };
	});
	return {
		schema: 'vulntune.comparison/1',
		missing: {
			count: unscored.length,
			positives: unscored.filter((row) => row.label === 1).length,
		},
		groupedBy,
		rows: table,
		verdict: verdict(
			name,
			table.flatMap(({ name: baseline, against }) =>
				against === null
					? []
					: [{ baseline, rocAuc: against.rocAucByCluster ?? against.rocAuc, f1: against.f1 }],
			),
			groupedBy,
		),
	};
}

function isSingle(threshold: Thresholds): threshold is number | null {
	return threshold === null || typeof threshold === 'number';
}

/** ROC AUC of one ranking of the rows minus that of another. */
export function aucDifference(labels: readonly number[], model: Ranking, baseline: Ranking): Difference {
	const compared = pairedDelong(labels, model.scores, baseline.scores);
	if (!('test' in compared)) return { value: null, reason: compared.reason };
	const { difference: value, test } = compared;
	if (test.status === 'ok') return { value, low: test.low, high: test.high, p: test.p };
	// a ranking without mistake against a constant score: DeLong has no variance left, the Mann-Whitney test has
	if (value !== 0 && (compared.aucA === 0.5 || compared.aucB === 0.5)) {
		const positives = labels.filter((label) => label === 1).length;
		const negatives = labels.length - positives;
		const deviation = Math.sqrt((positives + negatives + 1) / (12 * positives * negatives));
		const halfWidth = normal975 * deviation;
		return { value, low: value - halfWidth, high: value + halfWidth, p: twoSidedNormal(value / deviation) };
	}
	return { value, low: null, high: null, p: null, reason: test.reason };
}

/** The same by a paired bootstrap of groups, which need not be independent inside. */
export function clusteredAucDifference(
	labels: readonly number[],
	model: Ranking,
	baseline: Ranking,
	groups: RowGroups,
	seed: number,
	resamples: number,
): Difference {
	const rankings = [rankScores(model.scores), rankScores(baseline.scores)] as const;
	const areaOf = (ranking: (typeof rankings)[number], weights: Float64Array) => {
		const area = rocAuc(countCurve(ranking, labels, weights));
		return area.status === 'ok' ? area.value : Number.NaN;
	};
	return bootstrapDifference(
		(weights) => areaOf(rankings[0], weights) - areaOf(rankings[1], weights),
		labels.length,
		groups,
		seed,
		resamples,
		'one of the classes is missing',
	);
}

/** F1 of one detector minus that of another, each at its threshold. */
export function f1Difference(
	labels: readonly number[],
	model: Detector,
	baseline: Detector,
	groups: RowGroups,
	seed: number,
	resamples: number,
): Difference {
	if (model.threshold === null || baseline.threshold === null) {
		return { value: null, reason: 'no validation threshold is known' };
	}
	const f1OfModel = f1Counter(labels, calledRows(model.scores, model.threshold)!);
	const f1OfBaseline = f1Counter(labels, calledRows(baseline.scores, baseline.threshold)!);
	return bootstrapDifference(
		(weights) => f1OfModel(weights) - f1OfBaseline(weights),
		labels.length,
		groups,
		seed,
		resamples,
		'there is no vulnerable function',
	);
}

/**
 * A difference with its interval and p from resamples of groups.
 *
 * @param measure NaN where it is undefined
 * @param missing why it may be, for the rows as they are
 */
function bootstrapDifference(
	measure: (weights: Float64Array) => number,
	rows: number,
	groups: RowGroups,
	seed: number,
	resamples: number,
	missing: string,
): Difference {
	const value = measure(new Float64Array(rows).fill(1));
	if (Number.isNaN(value)) return { value: null, reason: missing };
	const { interval, p } = pairedBootstrap({ groups, seed, resamples }, measure);
	if (interval.status !== 'ok') return { value, low: null, high: null, p: null, reason: interval.reason };
	return { value, low: interval.low, high: interval.high, p };
}

/** F1 of weighted rows that are called vulnerable or not; NaN without a vulnerable function. */
function f1Counter(labels: readonly number[], called: Uint8Array): (weights: Float64Array) => number {
	return (weights) => {
		const { truePositives, falsePositives, falseNegatives } = confusionOf(labels, called, weights);
		if (truePositives + falseNegatives === 0) return Number.NaN;
		return (2 * truePositives) / (2 * truePositives + falsePositives + falseNegatives);
	};
}
