import { inputError } from '@vulntune/engine';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import { weaknessOf } from './evaluated-rows.ts';
import { groupsOf } from './groups.ts';
import { type MetricColumn, metricTable } from './metric-table.ts';
import { type Prediction, readPredictions } from './predictions.ts';

/** What `vulntune evaluate --predictions` prints with `--json`. */
export interface PredictionsReport {
	readonly schema: 'vulntune.predictions-report/1';
	readonly file: string;
	/** Functions without a probability; they are in no metric. */
	readonly missing: { readonly count: number; readonly positives: number };
	/** What was resampled together. */
	readonly groupedBy: 'commit' | 'function';
	readonly evaluation: Evaluation;
}

export interface PredictionsOptions {
	/** Positive means probability >= threshold; without one the metrics that need it are null. */
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
	{ threshold, seed = 1, resamples }: PredictionsOptions = {},
): PredictionsReport {
	if (threshold !== undefined && !(threshold >= 0 && threshold <= 1)) {
		throw inputError('THRESHOLD_RANGE', `expected a threshold from 0 to 1, found ${threshold}`, {
			place: '--threshold',
			remedy: 'Give the threshold that was chosen on validation; a run folder stores it with its adapter.',
		});
	}
	const scored = predictions.filter((prediction) => prediction.probability !== null);
	const unscored = predictions.filter((prediction) => prediction.probability === null);
	const { groups, groupedBy } = groupsOf(scored.map((prediction) => prediction.commit));
	const classes = scored.map((prediction) => weaknessOf(prediction.cwe) ?? null);
	const weaknesses = classes.some((name) => name !== null) ? classes : undefined;
	const evaluation = evaluateScores({
		labels: scored.map((prediction) => prediction.label),
		scores: scored.map((prediction) => prediction.probability!),
		ids: scored.map((prediction) => String(prediction.id)),
		groups,
		weaknesses,
		threshold: threshold ?? null,
		seed,
		resamples,
	});
	const positives = unscored.filter((prediction) => prediction.label === 1).length;
	return {
		schema: 'vulntune.predictions-report/1',
		file,
		missing: { count: unscored.length, positives },
		groupedBy,
		evaluation,
	};
}

/** The report as a table for terminals. */
export function renderPredictionsReport(report: PredictionsReport): string {
	const { evaluation, missing, groupedBy, file } = report;
	const column: MetricColumn = { name: 'value (95 %)', evaluation, missing: missing.count };
	const { table, notes } = metricTable([column]);
	const unit = groupedBy === 'commit' ? 'fix commits' : 'functions (the file names no commits)';
	return [
		`${file}: ${evaluation.counts.functions} functions, ${evaluation.counts.positives} vulnerable, ` +
			`bootstrap over ${evaluation.counts.groups} ${unit}`,
		'',
		table,
		...(notes.length > 0 ? ['', ...notes] : []),
	].join('\n');
}
