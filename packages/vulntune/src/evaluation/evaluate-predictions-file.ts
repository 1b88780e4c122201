import { inputError } from '@vulntune/engine';
import { allPositive } from '../baselines/all-positive.ts';
import { pairRows } from '../data/pair-rows.ts';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import type { Thresholds } from '../metrics/threshold-metrics.ts';
import { type ComparisonRow, compareDetectors } from './compare-with-baselines.ts';
import { weaknessOf } from './evaluated-rows.ts';
import { type GroupedBy, groupNames, groupsOf } from './groups.ts';
import { type MetricColumn, metricTable } from './metric-table.ts';
import { type Prediction, readPredictions } from './predictions.ts';
import { differencesTable } from './render-comparison.ts';

/** What `vulntune evaluate --predictions` prints with `--json`. */
export interface PredictionsReport {
	readonly schema: 'vulntune.predictions-report/1';
	readonly file: string;
	/** Functions without a probability; they are in no metric. */
	readonly missing: { readonly count: number; readonly positives: number };
	/** Where the threshold comes from; null where there is none. */
	readonly thresholdFrom: 'option' | 'file' | null;
	/** What was resampled together. */
	readonly groupedBy: GroupedBy;
	readonly evaluation: Evaluation;
	/** What is measured beside: the detector that calls every function vulnerable. */
	readonly baselines: readonly { readonly name: 'all-positive'; readonly evaluation: Evaluation }[];
	/** Why the other baselines of `vulntune evaluate` are not here. */
	readonly absentBaselines: string;
	/** Other predictions of the same functions, and the paired tests against them; null where none were given. */
	readonly against: PredictionsComparison | null;
}

/** The file's detector minus another one on the same functions. */
export interface PredictionsComparison {
	readonly file: string;
	readonly evaluation: Evaluation;
	readonly differences: NonNullable<ComparisonRow['against']>;
	readonly verdict: string;
}

const absentBaselines =
	"The length and n-gram baselines need the functions' text, which predictions have not: evaluate the run for them.";

export interface PredictionsOptions {
	/** Positive means probability >= threshold; default: the file's own. Without one the metrics that need it are null. */
	readonly threshold?: number | undefined;
	/** Default 1. */
	readonly seed?: number | undefined;
	/** Bootstrap resamples, default 1,000. */
	readonly resamples?: number | undefined;
	/** Predictions of the same functions to compare with. */
	readonly against?: { readonly predictions: readonly Prediction[]; readonly file: string } | undefined;
}

/**
 * Metrics of a predictions file.
 * @throws VulntuneError for a file that is not to be read or a threshold outside [0, 1]
 */
export async function evaluatePredictionsFile(
	path: string,
	{
		against,
		...options
	}: Omit<PredictionsOptions, 'against'> & { readonly against?: string | undefined } = {},
): Promise<PredictionsReport> {
	const predictions = await readPredictions(path);
	const other =
		against === undefined ? undefined : { predictions: await readPredictions(against), file: against };
	return evaluatePredictions(predictions, path, { ...options, against: other });
}

/** The same for predictions at hand; `file` is only named in the report. */
export function evaluatePredictions(
	predictions: readonly Prediction[],
	file: string,
	{ threshold: given, seed = 1, resamples, against }: PredictionsOptions = {},
): PredictionsReport {
	if (given !== undefined && !(given >= 0 && given <= 1)) {
		throw inputError('THRESHOLD_RANGE', `expected a threshold from 0 to 1, found ${given}`, {
			place: '--threshold',
			remedy: 'Give the threshold that was chosen on validation; a run folder stores it with its adapter.',
		});
	}
	const own = given === undefined ? ownThresholds(predictions, file) : null;
	const thresholds = given ?? own;
	const scored = predictions.filter((prediction) => prediction.probability !== null);
	const unscored = predictions.filter((prediction) => prediction.probability === null);
	const threshold =
		thresholds === null || typeof thresholds === 'number'
			? thresholds
			: predictions.flatMap(({ probability }, row) => (probability === null ? [] : [thresholds[row]!]));
	const { groups, groupedBy } = groupsOf(
		scored.map((prediction) => prediction.commit),
		scored.map((prediction) => prediction.cluster),
	);
	const classes = scored.map((prediction) => weaknessOf(prediction.cwe) ?? null);
	const weaknesses = classes.some((name) => name !== null) ? classes : undefined;
	const pairs = pairRows(scored.map(({ commit, ...row }) => ({ ...row, group: commit })));
	const common = {
		labels: scored.map((prediction) => prediction.label),
		ids: scored.map((prediction) => String(prediction.id)),
		groups,
		weaknesses,
		statuses: scored.map((prediction) => prediction.status ?? null),
		pairs: pairs.length > 0 ? pairs : undefined,
		seed,
		resamples,
	};
	const evaluation = evaluateScores({
		...common,
		scores: scored.map((prediction) => prediction.probability!),
		threshold,
	});
	const scores = [...allPositive(scored.length)];
	const always = evaluateScores({ ...common, scores, threshold: 1 });
	const positives = unscored.filter((prediction) => prediction.label === 1).length;
	return {
		schema: 'vulntune.predictions-report/1',
		file,
		missing: { count: unscored.length, positives },
		thresholdFrom: given !== undefined ? 'option' : own !== null ? 'file' : null,
		groupedBy,
		evaluation,
		baselines: [{ name: 'all-positive', evaluation: always }],
		absentBaselines,
		against:
			against === undefined
				? null
				: comparePredictions(predictions, thresholds, against, { file, seed, resamples }),
	};
}

/**
 * The threshold that the lines of a run's own predictions name; of a cross-validation's, [rows] those of their folds. null where they name
 * none. Throws PREDICTIONS_INVALID where lines of one run or fold name several.
 */
function ownThresholds(predictions: readonly Prediction[], file: string): Thresholds {
	// a function that was not scored is called nothing
	const scored = predictions.filter(({ probability }) => probability !== null);
	const values = [...new Set(scored.map(({ threshold }) => threshold))];
	if (values.length <= 1) return values[0] ?? null;
	const byFold = Map.groupBy(scored, ({ fold }) => fold);
	const isOfFolds =
		!byFold.has(undefined) &&
		[...byFold.values()].every((lines) => new Set(lines.map(({ threshold }) => threshold)).size === 1);
	if (isOfFolds) return predictions.map(({ threshold }) => threshold!);
	throw inputError(
		'PREDICTIONS_INVALID',
		`its lines name ${values.length} thresholds: ${values.map((value) => value ?? 'none').join(', ')}`,
		{
			place: file,
			remedy:
				'Measure the predictions of one run at a time, or give the --threshold that all are measured at.',
		},
	);
}

/** Throws PREDICTIONS_DIFFER where the two files are not of the same functions and labels. */
function comparePredictions(
	predictions: readonly Prediction[],
	threshold: Thresholds,
	other: NonNullable<PredictionsOptions['against']>,
	{ file, seed, resamples }: { file: string; seed: number; resamples: number | undefined },
): PredictionsComparison {
	const ofId = new Map(other.predictions.map((prediction) => [String(prediction.id), prediction]));
	const paired = predictions.map(({ id, label }) => {
		const found = ofId.get(String(id));
		if (found?.label === label && predictions.length === other.predictions.length) return found;
		const why =
			found === undefined
				? `the function ${id} is not in it`
				: found.label === label
					? `it has ${other.predictions.length} functions, ${file} has ${predictions.length}`
					: `the function ${id} has another label there`;
		throw inputError('PREDICTIONS_DIFFER', `not the same functions: ${why}`, {
			place: other.file,
			remedy: 'Compare predictions of the same split, one line a function.',
		});
	});
	const missing = paired.find(({ probability }) => probability === null);
	if (missing !== undefined) {
		throw inputError('PREDICTIONS_DIFFER', `the function ${missing.id} was not scored there`, {
			place: other.file,
			remedy: 'Compare predictions in which every function is scored.',
		});
	}
	const comparison = compareDetectors(
		predictions.map(({ commit, cwe, ...row }) => ({
			...row,
			text: '',
			group: commit,
			weakness: weaknessOf(cwe),
		})),
		{
			...{ name: file, threshold, kind: 'model', seed, resamples },
			others: [
				{
					name: other.file,
					scores: paired.map(({ probability }) => probability!),
					threshold: ownThresholds(paired, other.file),
				},
			],
		},
	);
	const { evaluation, against } = comparison.rows[1]!;
	return { file: other.file, evaluation, differences: against!, verdict: comparison.verdict };
}

const fromFile =
	'The threshold is the one that the file names, which its run took from validation: on validation itself it is no result.';

/** The report as a table for terminals. */
export function renderPredictionsReport(report: PredictionsReport): string {
	const { evaluation, baselines, missing, groupedBy, file } = report;
	const { against } = report;
	const other = against === null ? [] : [{ name: against.file, evaluation: against.evaluation }];
	const measured = [{ name: 'value (95 %)', evaluation }, ...other, ...baselines];
	const columns = measured.map((column): MetricColumn => ({ ...column, missing: missing.count }));
	const { tables, notes } = metricTable(columns);
	const unit = groupedBy === 'function' ? 'functions (the file names no commits)' : groupNames[groupedBy];
	const differences =
		against === null
			? []
			: [
					'',
					differencesTable(file, [{ name: against.file, against: against.differences }]),
					'',
					against.verdict,
				];
	return [
		`${file}: ${evaluation.counts.functions} functions, ${evaluation.counts.positives} vulnerable, ` +
			`bootstrap over ${evaluation.counts.groups} ${unit}`,
		'',
		tables,
		...differences,
		...['', ...notes, ...(report.thresholdFrom === 'file' ? [fromFile] : []), report.absentBaselines],
	].join('\n');
}
