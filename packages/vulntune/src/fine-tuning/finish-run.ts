import { writeTextAtomically } from '@vulntune/engine';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import type { NgramSelection } from '../baselines/ngram/select.ts';
import type { Config } from '../config/schema.ts';
import type { FunctionRow } from '../data/row.ts';
import { baselineDetectors, formatBaselineScores } from '../evaluation/baseline-detectors.ts';
import { compareWithBaselines } from '../evaluation/compare-with-baselines.ts';
import { detectorName } from '../evaluation/detector-name.ts';
import { evaluatedRows, textRows } from '../evaluation/evaluated-rows.ts';
import type { EndRecord, TrainingFunctions } from '../run/records.ts';
import type { RunFolder } from '../run/run-folder.ts';
import type { BestEpoch } from '../training/state.ts';
import { savePredictions } from './predictions.ts';
import type { RunSignals, RunSummary } from './run-events.ts';

/** What a run has come to when its test split is scored. */
export interface RunResults {
	readonly rows: RunRows;
	readonly test: { readonly probabilities: Float64Array; readonly truncated: number };
	readonly best: BestEpoch | null;
	readonly training: TrainingFunctions;
	/** n-grams that are fitted on these rows already. */
	readonly ngram?: NgramSelection | undefined;
}

/** The rows of a run, whatever reads them. */
export type RunRows = Readonly<Record<'train' | 'valid' | 'test', readonly FunctionRow[]>>;

/**
 * Writes what a run ends with: predictions of the test split, its metrics beside the baselines' (fitted on the run's
 * own training rows) in comparison.json. Returns undefined where the run was interrupted while they were fitted.
 */
export function summarizeRun(
	config: Config,
	folder: RunFolder,
	{ rows, test, best, training, ngram }: RunResults,
	signals: RunSignals,
): RunSummary | undefined {
	const threshold = best?.threshold ?? null;
	savePredictions(folder.predictions('test'), rows.test, test.probabilities, threshold);
	const isCollapsed = config.data.collapseWhitespace;
	const line =
		ngram === undefined ? 'fitting the baselines: text length, n-grams' : 'comparing with baselines';
	signals.emit({ type: 'note', line });
	if (signals.interrupted()) return undefined;
	const baselines = fitBaselines(textRows(rows.train, isCollapsed), textRows(rows.valid, isCollapsed), {
		stop: signals.interrupted,
		ngram,
	});
	if (baselines === undefined) return undefined;
	const evaluated = evaluatedRows(rows.test, test.probabilities, isCollapsed);
	const comparison = compareWithBaselines(evaluated, {
		name: detectorName(config.method),
		threshold,
		baselines,
		without: config.method.type === 'ngram' ? 'ngram' : undefined,
		seed: config.training.seed,
	});
	const detectors = baselineDetectors(
		evaluated.map(({ text }) => text),
		baselines,
	);
	const ids = evaluated.map(({ id }) => id);
	for (const [file, text] of [
		[folder.comparison, `${JSON.stringify(comparison, null, '\t')}\n`],
		[folder.baselines, formatBaselineScores(ids, detectors)],
	] as const) {
		writeTextAtomically(file, text);
	}
	const record: EndRecord = {
		type: 'end',
		bestEpoch: best?.epoch ?? 0,
		test: comparison.rows[0]!.evaluation,
		truncated: test.truncated,
		training,
	};
	return { output: folder.root, record, comparison };
}
