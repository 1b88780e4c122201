import { describeWithoutProject, type UnnamedRows } from '../audit/projects.ts';
import {
	type Comparison,
	compareDetectors,
	type EvaluatedRow,
} from '../evaluation/compare-with-baselines.ts';
import { groupsOf } from '../evaluation/groups.ts';
import { renderComparison } from '../evaluation/render-comparison.ts';
import type { Difference } from '../evaluation/verdict.ts';
import { groupRows, pairedBootstrap } from '../metrics/bootstrap.ts';
import { rocAuc } from '../metrics/rank-metrics.ts';
import { countCurve, curveOf, rankScores } from '../metrics/ranking.ts';
import { textTable } from '../terminal/text-table.ts';
import type { OutOfFold } from './fold-folder.ts';

/** What a cross-validation was. */
export interface CrossValidationFacts extends UnnamedRows {
	readonly output: string;
	readonly folds: number;
	readonly repeats: number;
	readonly seed: number;
	readonly similarity: number;
}

/** The comparison on out-of-fold scores of the first repeat, and what folds and repeats add; what the command prints with `--json`. */
export type CrossValidation = Comparison & {
	readonly crossValidation: CrossValidationFacts & {
		readonly detectors: readonly FoldAreas[];
	};
};

/** How a detector does fold by fold and repeat by repeat. */
export interface FoldAreas {
	readonly name: string;
	/** [repeats] of [folds] ROC AUC inside each fold. */
	readonly rocAucByFold: readonly (readonly (number | null)[])[];
	/** ROC AUC over all rows, the mean of the repeats. */
	readonly rocAuc: number;
	/** The model's minus this one's, with a bootstrap of clusters; null for the model. */
	readonly against: Difference | null;
}

/**
 * @param rows with the model's out-of-fold probabilities of the first repeat
 * @param byRepeat [repeats] of [detectors], the model first
 */
export function compareFolds(
	rows: readonly EvaluatedRow[],
	byRepeat: readonly (readonly OutOfFold[])[],
	{ foldOf, ...facts }: CrossValidationFacts & { readonly foldOf: readonly Int32Array[] },
	resamples?: number,
): CrossValidation {
	const labels = rows.map(({ label }) => label);
	const [model, ...others] = byRepeat[0]!;
	const comparison = compareDetectors(rows, {
		name: model!.name,
		threshold: model!.threshold,
		kind: 'baseline',
		// the length's score is no probability
		others: others.map((other) => ({
			...other,
			...(other.name === 'length' ? { probabilities: false } : {}),
		})),
		seed: facts.seed,
		resamples,
	});
	const { groups } = groupsOf(
		[],
		rows.map(({ cluster }) => cluster),
	);
	const rankings = byRepeat.map((detectors) => detectors.map(({ scores }) => rankScores(scores)));
	const meanArea = (place: number, weights: Float64Array) => {
		const areas = rankings.map((detectors) => rocAuc(countCurve(detectors[place]!, labels, weights)));
		const sum = areas.reduce((total, area) => total + (area.status === 'ok' ? area.value : Number.NaN), 0);
		return sum / areas.length;
	};
	const once = new Float64Array(rows.length).fill(1);
	const difference = (place: number): Difference => {
		const measure = (weights: Float64Array) => meanArea(0, weights) - meanArea(place, weights);
		const value = measure(once);
		const options = {
			groups: groupRows(groups),
			seed: facts.seed,
			...(resamples === undefined ? {} : { resamples }),
		};
		const { interval, p } = pairedBootstrap(options, measure);
		if (interval.status !== 'ok') return { value, low: null, high: null, p: null, reason: interval.reason };
		return { value, low: interval.low, high: interval.high, p };
	};
	const detectors = byRepeat[0]!.map(
		({ name }, place): FoldAreas => ({
			name,
			rocAucByFold: byRepeat.map((all, repeat) =>
				areasByFold(labels, all[place]!.scores, foldOf[repeat]!, facts.folds),
			),
			rocAuc: meanArea(place, once),
			against: place === 0 ? null : difference(place),
		}),
	);
	return { ...comparison, crossValidation: { ...facts, detectors } };
}

function areasByFold(
	labels: readonly number[],
	scores: readonly number[],
	foldOf: Int32Array,
	folds: number,
): (number | null)[] {
	return Array.from({ length: folds }, (_, fold) => {
		const inside = (_: unknown, row: number) => foldOf[row] === fold;
		const area = rocAuc(curveOf(labels.filter(inside), scores.filter(inside)));
		return area.status === 'ok' ? area.value : null;
	});
}

/** The result for terminals. */
export function renderCrossValidation(result: CrossValidation): string {
	const { detectors, folds, repeats, withoutProject, withoutEither, output } = result.crossValidation;
	const apart = describeWithoutProject(result.crossValidation);
	const all = result.rows[0]!.evaluation.counts.functions;
	const known =
		withoutEither === all ? '' : withoutProject === all ? 'its commit and of ' : 'its project and of ';
	const byFold = textTable([
		['ROC AUC by fold', ...Array.from({ length: folds }, (_, fold) => String(fold + 1)), 'all rows'],
		...detectors.map(({ name, rocAucByFold, rocAuc: all }) => [
			name,
			...rocAucByFold[0]!.map((area) => area?.toFixed(3) ?? '-'),
			all.toFixed(3),
		]),
	]);
	const repeated = textTable([
		[`mean of ${repeats} repeats`, 'ROC AUC', 'model minus this', 'p'],
		...detectors.map(({ name, rocAuc: mean, against }) => [
			name,
			mean.toFixed(3),
			...differenceCells(against),
		]),
	]);
	return [
		`Every function was scored by a detector that had seen nothing of ${known}its near-duplicates (${folds} folds).`,
		...(apart === undefined ? [] : [`${apart.charAt(0).toUpperCase()}${apart.slice(1)}.`]),
		'',
		renderComparison(result),
		'',
		byFold,
		...(repeats > 1 ? ['', repeated, 'All else is of the first repeat.'] : []),
		'',
		`Folds, out-of-fold predictions and comparison.json are in ${output}.`,
	].join('\n');
}

function differenceCells(difference: Difference | null): [interval: string, p: string] {
	if (difference === null) return ['', ''];
	if (difference.value === null || difference.low === null) return ['-', '-'];
	const { value, low, high, p } = difference;
	return [`${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`, p?.toFixed(3) ?? '-'];
}
