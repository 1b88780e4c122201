import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createBackend, inputError, loadTokenizer, openModelFolder } from '@vulntune/engine';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import { parseNgram } from '../baselines/ngram/file.ts';
import { predictNgram } from '../baselines/ngram/model.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { loadDataset, type SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { readDescription, restoreDetector } from '../methods/saved-detector.ts';
import { holdsRun, runFolder } from '../run/run-folder.ts';
import { NGRAM_FILE } from '../training/run-ngram.ts';
import { scoreSplit } from '../training/score-split.ts';
import { createDetectorOf, scoringOf, tokenizedSplit } from '../training/session.ts';
import { type Comparison, compareWithBaselines } from './compare-with-baselines.ts';
import { evaluatedRows, textRows } from './evaluated-rows.ts';

export interface RunEvaluation {
	readonly comparison: Comparison;
	/** Functions that were cut to the length of a sequence before they were scored. */
	readonly truncated: number;
	readonly threshold: number | null;
	readonly rows: readonly FunctionRow[];
	/** [rows] */
	readonly probabilities: Float64Array;
}

/**
 * Scores a split with a finished run's best adapter, at its own threshold from validation.
 *
 * The baselines beside it are fitted on the training rows of the scored dataset; where it has none, or of one class only, on
 * those that the run was trained with.
 *
 * Throws RUN_NOT_FOUND, RUN_UNFINISHED.
 */
export async function evaluateRun(
	location: string,
	options: { readonly data: string | undefined; readonly split: SplitName },
	progress: (done: number, total: number) => void,
	note: (line: string) => void,
): Promise<RunEvaluation> {
	const folder = runFolder(adapterParent(location));
	if (!holdsRun(folder) || !existsSync(folder.config)) {
		throw inputError('RUN_NOT_FOUND', 'there is no run in this folder', {
			place: location,
			remedy: 'Give the output folder of vulntune train (it has config.yaml and adapter/).',
		});
	}
	const config = loadConfig(folder.config);
	const source = options.data ?? config.data.path;
	const { split } = options;
	const dataset = await loadDataset(source, {
		required: [split],
		optional: (['train', 'valid', 'test'] as const).filter((name) => name !== split),
	});
	const rows = dataset.splits[split];
	const fitting = await fittingRows(config, dataset.splits);
	const scored = await scoreRows(config, folder.adapter, rows, progress, note);
	const isCollapsed = config.data.collapseWhitespace;
	const comparison = compareWithBaselines(evaluatedRows(rows, scored.probabilities, isCollapsed), {
		name: config.method.type,
		threshold: scored.threshold,
		baselines: fitBaselines(textRows(fitting.train, isCollapsed), textRows(fitting.valid, isCollapsed)),
		without: config.method.type === 'ngram' ? 'ngram' : undefined,
		seed: config.training.seed,
	});
	return { comparison, rows, ...scored };
}

/** A run's folder where its adapter folder was named. */
function adapterParent(location: string): string {
	const isAdapter = path.basename(path.resolve(location)) === 'adapter';
	return isAdapter ? path.dirname(path.resolve(location)) : location;
}

async function fittingRows(config: Config, splits: Readonly<Record<SplitName, readonly FunctionRow[]>>) {
	const hasBothClasses = new Set(splits.train.map((row) => row.label)).size === 2;
	if (hasBothClasses && splits.valid.length > 0) return splits;
	return (await loadDataset(config.data.path, { required: ['train', 'valid'] })).splits;
}

async function scoreRows(
	config: Config,
	adapter: string,
	rows: readonly FunctionRow[],
	progress: (done: number, total: number) => void,
	note: (line: string) => void,
): Promise<{ probabilities: Float64Array; truncated: number; threshold: number | null }> {
	if (config.method.type === 'ngram') {
		const file = path.join(adapter, NGRAM_FILE);
		if (!existsSync(file)) throw unfinished(adapter);
		const { model, threshold } = parseNgram(readFileSync(file, 'utf8'), file);
		const texts = textRows(rows, config.data.collapseWhitespace).map((row) => row.text);
		return { probabilities: Float64Array.from(predictNgram(model, texts)), truncated: 0, threshold };
	}
	const description = readDescription(adapter);
	if (description === undefined) throw unfinished(adapter);
	const model = openModelFolder(config.model);
	const backend = createBackend(config.backend, note);
	try {
		const tokenizer = loadTokenizer(config.model);
		const data = await tokenizedSplit(config, rows, tokenizer);
		const detector = createDetectorOf(
			{ ...config, method: { ...config.method, from: null } },
			backend,
			model,
		);
		try {
			restoreDetector(adapter, detector, description.method);
			const scores = scoreSplit(detector, data, { ...scoringOf(config, tokenizer), progress })!;
			const { probabilities, truncated } = scores;
			return { probabilities, truncated, threshold: description.threshold };
		} finally {
			detector.free();
		}
	} finally {
		backend.close();
		model.close();
	}
}

function unfinished(adapter: string): Error {
	return inputError('RUN_UNFINISHED', 'the run has no adapter yet: its first epoch is not finished', {
		place: adapter,
		remedy: 'Finish it with vulntune train … --resume.',
	});
}
