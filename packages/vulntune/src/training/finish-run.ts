import { writeFileAtomically } from '@vulntune/engine';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import type { Config } from '../config/schema.ts';
import type { FunctionRow } from '../data/row.ts';
import { type Comparison, compareWithBaselines } from '../evaluation/compare-with-baselines.ts';
import { evaluatedRows, textRows } from '../evaluation/evaluated-rows.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { savePredictions } from './predictions.ts';
import type { BestEpoch } from './state.ts';

/** The last line of metrics.jsonl. */
export interface EndRecord {
	readonly type: 'end';
	readonly bestEpoch: number;
	readonly test: Evaluation;
	/** Test functions that were cut to the length of a sequence before they were scored. */
	readonly truncated: number;
}

export interface RunSummary {
	readonly output: string;
	readonly record: EndRecord;
	/** The model beside the trivial baselines. */
	readonly comparison: Comparison;
}

/** The rows of a run, whatever reads them. */
export type RunRows = Readonly<Record<'train' | 'valid' | 'test', readonly FunctionRow[]>>;

/**
 * Writes what a run ends with: predictions of the test split, its metrics beside the baselines' (fitted on the run's
 * own training rows) in comparison.json.
 */
export function summarizeRun(
	config: Config,
	folder: RunFolder,
	rows: RunRows,
	test: { readonly probabilities: Float64Array; readonly truncated: number },
	best: BestEpoch | null,
): RunSummary {
	savePredictions(folder.predictions('test'), rows.test, test.probabilities);
	const isCollapsed = config.data.collapseWhitespace;
	const comparison = compareWithBaselines(evaluatedRows(rows.test, test.probabilities, isCollapsed), {
		name: config.method.type,
		threshold: best?.threshold ?? null,
		baselines: fitBaselines(textRows(rows.train, isCollapsed), textRows(rows.valid, isCollapsed)),
		without: config.method.type === 'ngram' ? 'ngram' : undefined,
		seed: config.training.seed,
	});
	const text = new TextEncoder().encode(`${JSON.stringify(comparison, null, '\t')}\n`);
	writeFileAtomically(folder.comparison, (append) => append(text));
	const record: EndRecord = {
		type: 'end',
		bestEpoch: best?.epoch ?? 0,
		test: comparison.rows[0]!.evaluation,
		truncated: test.truncated,
	};
	return { output: folder.root, record, comparison };
}
