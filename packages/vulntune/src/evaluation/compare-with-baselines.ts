import { inputError } from '@vulntune/engine';
import type { Baselines } from '../baselines/fit-baselines.ts';
import { defaultResamples, groupRows, pairedBootstrap, type RowGroups } from '../metrics/bootstrap.ts';
import { pairedDelong } from '../metrics/delong.ts';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import { normal975, twoSidedNormal } from '../metrics/normal.ts';
import { validateScores } from '../metrics/validate.ts';
import { baselineDetectors, type Detector, type Ranking } from './baseline-detectors.ts';
import { groupsOf } from './groups.ts';
import { pairRows } from './pair-rows.ts';
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
	readonly functionName?: string | undefined;
	readonly weakness?: string | undefined;
}

export interface ComparisonOptions {
	/** Name of the model's row. Default `model`. */
	readonly name?: string | undefined;
	/** The model's threshold from validation. */
	readonly threshold: number | null;
	/** undefined where there is nothing to fit them on: all-positive is then the only one. */
	readonly baselines: Baselines | undefined;
	/** A baseline that is the model itself. */
	readonly without?: 'ngram' | undefined;
	/** Default 1. */
	readonly seed?: number | undefined;
	/** Bootstrap resamples, default 1,000. */
	readonly resamples?: number | undefined;
}

export interface ComparisonRow {
	readonly name: string;
	readonly kind: 'model' | 'baseline';
	/** Functions that the model did not score; the baselines are measured on the same functions as the model. */
	readonly missing: number;
	readonly evaluation: Evaluation;
	/** Model minus this baseline, on the same functions; null in the model's own row. */
	readonly against: { readonly rocAuc: Difference; readonly f1: Difference } | null;
}

/** What `vulntune evaluate` prints with `--json`. */
export interface Comparison {
	readonly schema: 'vulntune.comparison/1';
	readonly missing: { readonly count: number; readonly positives: number };
	readonly groupedBy: 'commit' | 'function';
	/** The model first, then `all-positive`, `length`, `ngram`. */
	readonly rows: readonly ComparisonRow[];
	/** Whether the model beats the baselines, in one or two sentences. */
	readonly verdict: string;
}

/**
 * The model beside the trivial detectors on the functions that it scored: all metrics with intervals, and for each
 * baseline a paired test of the difference in ROC AUC (DeLong) and in F1 at the validation thresholds (bootstrap
 * over commits). p values are not corrected for the number of baselines.
 * @throws VulntuneError naming the row whose probability is no number
 */
export function compareWithBaselines(
	rows: readonly EvaluatedRow[],
	{ name = 'model', threshold, baselines, without, seed = 1, resamples }: ComparisonOptions,
): Comparison {
	const scored = rows.filter((row) => row.probability !== null);
	const unscored = rows.filter((row) => row.probability === null);
	const labels = scored.map((row) => row.label);
	const ids = scored.map((row) => String(row.id));
	const texts = scored.map((row) => row.text);
	const { groups, groupedBy } = groupsOf(scored.map((row) => row.group));
	const pairs = pairRows(scored);
	const common = {
		...{ labels, ids, groups, seed, resamples },
		pairs: pairs.length > 0 ? pairs : undefined,
		weaknesses: scored.some((row) => row.weakness !== undefined)
			? scored.map((row) => row.weakness ?? null)
			: undefined,
	};
	const model: Detector = { name, scores: scored.map((row) => row.probability!), threshold };
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
	const others = baselineDetectors(texts, baselines);
	const grouped = groupRows(groups);
	const shown = others.filter((detector) => detector.name !== without);
	const table: ComparisonRow[] = [model, ...shown].map((detector): ComparisonRow => {
		const evaluation = evaluateScores({ ...common, ...detector });
		const against =
			detector === model
				? null
				: {
						rocAuc: aucDifference(labels, model, detector),
						f1: f1Difference(labels, model, detector, grouped, seed, resamples ?? defaultResamples),
					};
		const kind = detector === model ? 'model' : 'baseline';
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
			table.flatMap(({ name: baseline, against }) => (against === null ? [] : [{ baseline, ...against }])),
		),
	};
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
	const f1OfModel = f1Counter(labels, model.scores, model.threshold);
	const f1OfBaseline = f1Counter(labels, baseline.scores, baseline.threshold);
	const difference = (weights: Float64Array) => f1OfModel(weights) - f1OfBaseline(weights);
	const value = difference(new Float64Array(labels.length).fill(1));
	if (Number.isNaN(value)) return { value: null, reason: 'there is no vulnerable function' };
	const { interval, p } = pairedBootstrap({ groups, seed, resamples }, difference);
	if (interval.status !== 'ok') return { value, low: null, high: null, p: null, reason: interval.reason };
	return { value, low: interval.low, high: interval.high, p };
}

/** F1 of weighted rows at a threshold; NaN without a vulnerable function. */
function f1Counter(
	labels: readonly number[],
	scores: readonly number[],
	threshold: number,
): (weights: Float64Array) => number {
	return (weights) => {
		let truePositives = 0;
		let called = 0;
		let positives = 0;
		for (let row = 0; row < labels.length; row++) {
			const weight = weights[row]!;
			positives += weight * labels[row]!;
			if (scores[row]! < threshold) continue;
			called += weight;
			truePositives += weight * labels[row]!;
		}
		return positives === 0 ? Number.NaN : (2 * truePositives) / (called + positives);
	};
}
