import { inputError } from '@vulntune/engine';
import { allPositive } from '../baselines/all-positive.ts';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import { weaknessOf } from './evaluated-rows.ts';
import { type GroupedBy, groupsOf } from './groups.ts';
import { type MetricColumn, metricTable } from './metric-table.ts';
import { pairRows } from './pair-rows.ts';
import { type Prediction, readPredictions } from './predictions.ts';

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
}

/**
 * Metrics of a predictions file.
 * @throws VulntuneError for a file that is not to be read or a threshold outside [0, 1]
 */
export async function evaluatePredictionsFile(
	path: string,
	options: PredictionsOptions = {},
): Promise<PredictionsReport> {
	return evaluatePredictions(await readPredictions(path), path, options);
}

/** The same for predictions at hand; `file` is only named in the report. */
export function evaluatePredictions(
	predictions: readonly Prediction[],
	file: string,
	{ threshold: given, seed = 1, resamples }: PredictionsOptions = {},
): PredictionsReport {
	if (given !== undefined && !(given >= 0 && given <= 1)) {
		throw inputError('THRESHOLD_RANGE', `expected a threshold from 0 to 1, found ${given}`, {
			place: '--threshold',
			remedy: 'Give the threshold that was chosen on validation; a run folder stores it with its adapter.',
		});
	}
	const own = given === undefined ? ownThreshold(predictions, file) : undefined;
	const threshold = given ?? own ?? null;
	const scored = predictions.filter((prediction) => prediction.probability !== null);
	const unscored = predictions.filter((prediction) => prediction.probability === null);
	const { groups, groupedBy } = groupsOf(scored.map((prediction) => prediction.commit));
	const classes = scored.map((prediction) => weaknessOf(prediction.cwe) ?? null);
	const weaknesses = classes.some((name) => name !== null) ? classes : undefined;
	const pairs = pairRows(scored.map(({ commit, ...row }) => ({ ...row, group: commit })));
	const common = {
		labels: scored.map((prediction) => prediction.label),
		ids: scored.map((prediction) => String(prediction.id)),
		groups,
		weaknesses,
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
		thresholdFrom: given !== undefined ? 'option' : own !== undefined ? 'file' : null,
		groupedBy,
		evaluation,
		baselines: [{ name: 'all-positive', evaluation: always }],
		absentBaselines,
	};
}

/** The threshold that the lines of a run's own predictions name. */
function ownThreshold(predictions: readonly Prediction[], file: string): number | undefined {
	const named = [...new Set(predictions.flatMap(({ threshold }) => threshold ?? []))];
	if (named.length <= 1) return named[0];
	throw inputError('PREDICTIONS_INVALID', `its lines name ${named.length} thresholds: ${named.join(', ')}`, {
		place: file,
		remedy: 'Measure the predictions of one run at a time, or give the --threshold that all are measured at.',
	});
}

const fromFile =
	'The threshold is the one that the file names, which its run took from validation: on validation itself it is no result.';

/** The report as a table for terminals. */
export function renderPredictionsReport(report: PredictionsReport): string {
	const { evaluation, baselines, missing, groupedBy, file } = report;
	const measured = [{ name: 'value (95 %)', evaluation }, ...baselines];
	const columns = measured.map((column): MetricColumn => ({ ...column, missing: missing.count }));
	const { tables, notes } = metricTable(columns);
	const unit = groupedBy === 'commit' ? 'fix commits' : 'functions (the file names no commits)';
	return [
		`${file}: ${evaluation.counts.functions} functions, ${evaluation.counts.positives} vulnerable, ` +
			`bootstrap over ${evaluation.counts.groups} ${unit}`,
		'',
		tables,
		...['', ...notes, ...(report.thresholdFrom === 'file' ? [fromFile] : []), report.absentBaselines],
	].join('\n');
}
