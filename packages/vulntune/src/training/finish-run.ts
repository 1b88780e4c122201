import type { Config } from '../config/schema.ts';
import type { Detector } from '../methods/detector.ts';
import { evaluateScores } from '../metrics/evaluateScores.ts';
import type { Evaluation } from '../metrics/evaluation.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { savePredictions } from './predictions.ts';
import type { RunSignals } from './run-training.ts';
import { scoreSplit } from './score-split.ts';
import { scoredRows } from './scored-rows.ts';
import type { PreparedData } from './session.ts';
import type { TrainingState } from './state.ts';

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
}

/** Scores the test split with the best epoch's adapter, which the detector holds; undefined if interrupted. */
export function finishRun(
	config: Config,
	folder: RunFolder,
	data: PreparedData,
	detector: Detector,
	state: TrainingState,
	signals: RunSignals,
): RunSummary | undefined {
	const { test } = data.splits;
	const scores = scoreSplit(detector, test, {
		...data.scoring,
		progress: (done, total) => signals.emit({ type: 'scoring', split: 'test', done, total }),
		stop: signals.interrupted,
	});
	if (scores === undefined) return undefined;
	savePredictions(folder.predictions('test'), test.rows, scores.probabilities);
	const threshold = state.best?.threshold ?? null;
	const rows = scoredRows(test.rows, scores.probabilities, threshold, config.training.seed);
	const record: EndRecord = {
		type: 'end',
		bestEpoch: state.best?.epoch ?? 0,
		test: evaluateScores(rows),
		truncated: scores.truncated,
	};
	return { output: folder.root, record };
}
