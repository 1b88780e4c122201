import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createBackend, inputError, loadTokenizer, openModelFolder, type Precision } from '@vulntune/engine';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import { parseNgram } from '../baselines/ngram/file.ts';
import { predictNgram } from '../baselines/ngram/model.ts';
import type { Config } from '../config/schema.ts';
import { loadDataset, type SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { readDescription } from '../methods/description.ts';
import { restoreDetector } from '../methods/saved-detector.ts';
import { blamingBase } from '../model/damaged-base.ts';
import { requireLearnt } from '../objectives/answers.ts';
import { describeShared } from '../packing/describe-shared.ts';
import { NGRAM_FILE } from '../training/run-ngram.ts';
import { scoreSplit } from '../training/score-split.ts';
import { answersOf, createDetectorOf, scoringOf, tokenizedSplit } from '../training/session.ts';
import { comparePrecisions, type PrecisionChange, storedScores } from './compare-precisions.ts';
import { type Comparison, compareWithBaselines } from './compare-with-baselines.ts';
import { findAdapter } from './evaluated-adapter.ts';
import { evaluatedRows, textRows } from './evaluated-rows.ts';
import { runCautions } from './run-cautions.ts';

export interface RunEvaluation {
	readonly comparison: Comparison;
	/** What another arithmetic than the run's own changes; undefined where it is the run's own. */
	readonly precisionChange: PrecisionChange | undefined;
	/** Functions that were cut to the length of a sequence before they were scored. */
	readonly truncated: number;
	readonly threshold: number | null;
	readonly rows: readonly FunctionRow[];
	/** [rows] */
	readonly probabilities: Float64Array;
	/** What the reader of these numbers must know. */
	readonly cautions: readonly string[];
}

/**
 * Scores a split with a run's best adapter, or with one that was copied out of its run, at its own threshold from
 * validation.
 *
 * The baselines beside it are fitted on the training rows of the scored dataset; where it has none, or of one class only, on
 * those that the run was trained with. An adapter without its run then stands beside all-positive alone.
 *
 * With another `precision` than the run's own the functions are scored in that, and compared with the predictions that
 * the run keeps, or, where it keeps none of these functions, with a second scoring in its own.
 *
 * Throws RUN_NOT_FOUND, RUN_UNFINISHED, ADAPTER_UNDESCRIBED, USAGE for a precision of n-grams.
 */
export async function evaluateRun(
	location: string,
	options: {
		readonly data: string | undefined;
		readonly split: SplitName;
		readonly precision: Precision | undefined;
	},
	progress: (done: number, total: number) => void,
	note: (line: string) => void,
): Promise<RunEvaluation> {
	const { config, adapter, run } = findAdapter(location, options.data);
	const { split } = options;
	const own = config.training.precision;
	const precision = options.precision ?? own;
	if (options.precision !== undefined && config.method.type === 'ngram') {
		throw inputError('USAGE', '--precision is for adapters: n-grams multiply no matrices', {
			place: adapter,
		});
	}
	const dataset = await loadDataset(options.data ?? config.data.path, {
		required: [split],
		optional: (['train', 'valid', 'test'] as const).filter((name) => name !== split),
	});
	const isCollapsed = config.data.collapseWhitespace;
	const fitting = await fittingRows(run === undefined ? undefined : config, dataset.splits);
	const cautions = [
		...(run === undefined ? [] : runCautions(run, options.data === undefined ? dataset.hash : undefined)),
		...(fitting === undefined ? [noFittingRows] : []),
	];
	for (const caution of cautions) note(caution);
	const rows = dataset.splits[split];
	const scoreIn = (used: Precision) =>
		scoreRows(
			{ ...config, training: { ...config.training, precision: used } },
			...([adapter, rows, progress, note] as const),
		);
	const scored = await scoreIn(precision);
	const comparison = compareWithBaselines(evaluatedRows(rows, scored.probabilities, isCollapsed), {
		name: config.method.type,
		threshold: scored.threshold,
		baselines:
			fitting && fitBaselines(textRows(fitting.train, isCollapsed), textRows(fitting.valid, isCollapsed)),
		without: config.method.type === 'ngram' ? 'ngram' : undefined,
		seed: config.training.seed,
	});
	const isRunsOwn = run !== undefined && options.data === undefined && cautions.length === 0;
	const stored = isRunsOwn ? storedScores(run.predictions(split), rows) : undefined;
	const precisionChange =
		precision === own
			? undefined
			: comparePrecisions(
					rows.map((row) => row.label),
					{ precision, scores: [...scored.probabilities] },
					{
						precision: own,
						scores: stored ?? [...(await scoreIn(own)).probabilities],
						stored: stored !== undefined,
					},
				);
	return { comparison, precisionChange, rows, cautions, ...scored };
}

const noFittingRows =
	'The dataset has no training and validation functions of both classes: the length and n-gram baselines are left out.';

/** undefined where neither the scored dataset nor a run has rows to fit baselines on. */
async function fittingRows(
	config: Config | undefined,
	splits: Readonly<Record<SplitName, readonly FunctionRow[]>>,
) {
	const hasBothClasses = new Set(splits.train.map((row) => row.label)).size === 2;
	if (hasBothClasses && splits.valid.length > 0) return splits;
	if (config === undefined) return undefined;
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
		const tokenizer = loadTokenizer(config.model, { cacheFolder: defaultTokenCacheFolder() });
		const asked = answersOf(config, tokenizer);
		if (asked !== undefined) requireLearnt(description.answers, asked, adapter);
		const data = await tokenizedSplit(config, rows, tokenizer, model.config);
		const plain = { ...config, method: { ...config.method, from: null } };
		const detector = await blamingBase(model, () => createDetectorOf(plain, backend, model));
		try {
			restoreDetector(adapter, detector, description.method);
			const scoring = { ...scoringOf(config, tokenizer, model.config), progress };
			const scores = (await blamingBase(model, () => scoreSplit(detector, data, scoring)))!;
			const { probabilities, truncated } = scores;
			if (scores.sharedTokens > 0) note(describeShared(scores));
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
