import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inputError, type Precision } from '@vulntune/engine';
import { loadConfiguredDataset } from '../audit/training-dataset.ts';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import { NGRAM_FILE, parseNgram } from '../baselines/ngram/file.ts';
import { predictNgram } from '../baselines/ngram/model.ts';
import { isStackOf } from '../baselines/ngram/stack-file.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config } from '../config/schema.ts';
import type { Dataset, SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { leftOutLines } from '../data/summary.ts';
import { type Attribution, attributions } from '../explanation/attribute-tokens.ts';
import type { LineScore } from '../explanation/line-scores.ts';
import { type DetectorDescription, readDescription } from '../methods/description.ts';
import type { CalibrationMethod } from '../metrics/calibrate.ts';
import { uncheckedBase } from '../model/open-base.ts';
import { describeShared } from '../packing/describe-shared.ts';
import { tokenizedSplit } from '../scoring/prepare-data.ts';
import { requireScores } from '../scoring/score-split.ts';
import { comparePrecisions, type PrecisionChange, storedScores } from './compare-precisions.ts';
import { type Comparison, compareWithBaselines } from './compare-with-baselines.ts';
import { detectorName } from './detector-name.ts';
import { evaluateLines, type LineEvaluation, requireFlawedLines } from './evaluate-lines.ts';
import { type EvaluatedAdapter, findAdapter, unfinishedRun } from './evaluated-adapter.ts';
import { type EvaluatedBase, openEvaluatedBase, openEvaluationBackend } from './evaluated-base.ts';
import { evaluatedRows, textRows } from './evaluated-rows.ts';
import { recordedHash, runCautions, temperatureCautions } from './run-cautions.ts';
import { createScorer, type Scorer, stackHasNoLines } from './scorer.ts';

export interface EvaluationOptions {
	/** undefined: the run's own. */
	readonly data: string | undefined;
	readonly split: SplitName;
	/** undefined: the run's own. */
	readonly precision: Precision | undefined;
	/** Options of the run's config that are others here: `model` and those of the backend. */
	readonly overrides?: ConfigOverrides;
	readonly allowOtherBase?: boolean;
	/** Also find the lines that fixes changed. */
	readonly lines?: boolean;
	/** A map that was fitted on validation, put behind the probabilities. */
	readonly calibration?: CalibrationMethod | undefined;
}

export interface RunEvaluation {
	readonly comparison: Comparison;
	/** What another arithmetic than the run's own changes; undefined where it is the run's own. */
	readonly precisionChange: PrecisionChange | undefined;
	/** How well the lines that fixes changed are found; undefined where that wasn't asked for. */
	readonly lines: LineEvaluation | undefined;
	/** Functions that were cut to the length of a sequence before they were scored. */
	readonly truncated: number;
	readonly threshold: number | null;
	/** Whether the scored dataset is the one that was trained with; undefined where nothing says. */
	readonly isOwnData: boolean | undefined;
	readonly rows: readonly FunctionRow[];
	/** [rows] */
	readonly probabilities: Float64Array;
	/** undefined for what has no base: n-grams, fully fine-tuned models. */
	readonly base: EvaluatedBase | undefined;
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
 * The base is checked as for training, and must be the one that the adapter was made on unless `allowOtherBase` takes another.
 *
 * Throws RUN_NOT_FOUND, RUN_UNFINISHED, ADAPTER_UNDESCRIBED, BASE_MISMATCH, USAGE for a precision or backend of n-grams, and for
 * a base of what has none.
 */
export async function evaluateRun(
	location: string,
	options: EvaluationOptions,
	progress: (done: number, total: number) => void,
	note: (line: string) => void,
): Promise<RunEvaluation> {
	const evaluated = openEvaluation(location, options);
	try {
		return await evaluateOpened(evaluated, options, progress, note);
	} finally {
		evaluated.opened?.base.close();
	}
}

/** What is evaluated, with its base open, which the caller closes; undefined for n-grams, which have none. */
export interface OpenedEvaluation extends EvaluatedAdapter {
	readonly opened: OpenedAdapter | undefined;
}

/** Opens what is evaluated. Throws what `evaluateRun` throws before it reads any rows. */
export function openEvaluation(location: string, options: EvaluationOptions): OpenedEvaluation {
	const { overrides = {}, allowOtherBase = false } = options;
	const { config, adapter, run } = findAdapter(location, options.data, overrides);
	refuseMeaningless(config, adapter, options);
	const opened = config.method.type === 'ngram' ? undefined : openAdapter(config, adapter, allowOtherBase);
	return { config, adapter, run, opened };
}

/** An adapter's base and description. */
type OpenedAdapter = ReturnType<typeof openEvaluatedBase> & { readonly description: DetectorDescription };

function openAdapter(config: Config, adapter: string, allowOther: boolean): OpenedAdapter {
	const description = readDescription(adapter);
	if (description === undefined) throw unfinishedRun(adapter);
	return { description, ...openEvaluatedBase(config, adapter, description, allowOther) };
}

/** Throws USAGE for what has no meaning for the method of the run. */
function refuseMeaningless(
	{ method: { type } }: Config,
	place: string,
	{ precision, overrides = {}, allowOtherBase, lines, calibration }: EvaluationOptions,
): void {
	if (calibration !== undefined && precision !== undefined) {
		throw inputError(
			'USAGE',
			'--calibration and --precision: choose one, they change the same probabilities',
			{
				place,
			},
		);
	}
	if (calibration !== undefined && type === 'ngram') {
		throw inputError('USAGE', '--calibration is for adapters: none is fitted for n-grams', { place });
	}
	const namesBase = Object.hasOwn(overrides, 'model') || allowOtherBase === true;
	if (namesBase && (type === 'ngram' || type === 'full')) {
		const what = type === 'ngram' ? 'n-grams have no base' : 'a fully fine-tuned model is its own base';
		throw inputError('USAGE', `--model and --allow-other-base are for adapters: ${what}`, { place });
	}
	if (type !== 'ngram') return;
	if (lines === true) {
		throw inputError('USAGE', '--lines is for models: n-grams know no lines', { place });
	}
	if (precision !== undefined || Object.keys(overrides).length > 0) {
		throw inputError('USAGE', '--precision and --backend are for adapters: n-grams multiply no matrices', {
			place,
		});
	}
}

/** The rows of an evaluation. */
export interface EvaluatedRows {
	readonly dataset: Dataset;
	readonly rows: readonly FunctionRow[];
	/** What the baselines are fitted on; undefined where nothing has such rows. */
	readonly fitting: Readonly<Record<SplitName, readonly FunctionRow[]>> | undefined;
	/** What the reader of the numbers must know; the first of it are rows that were left out. */
	readonly cautions: readonly string[];
	readonly skipped: readonly string[];
}

/** Reads the rows of an evaluation. Throws DATASET_NOT_FOUND, LINES_UNKNOWN. */
export async function readEvaluated(
	{ config, adapter, run, opened }: OpenedEvaluation,
	options: EvaluationOptions,
): Promise<EvaluatedRows> {
	const { split } = options;
	if (options.data === undefined && !existsSync(config.data.path)) {
		throw inputError('DATASET_NOT_FOUND', "the run's dataset is not there", {
			place: config.data.path,
			remedy: 'Say where it lies now with --data.',
		});
	}
	// another dataset is no sample
	const source =
		options.data === undefined ? config.data : { ...config.data, path: options.data, sample: null };
	const dataset = await loadConfiguredDataset(source, {
		required: [split],
		optional: (['train', 'valid', 'test'] as const).filter((name) => name !== split),
	});
	const fitting = await fittingRows(run === undefined ? undefined : config, dataset.splits);
	const skipped = leftOutLines(dataset.leftOut).map((line) => `Left out ${line}.`);
	const cautions = [
		...skipped,
		...(run === undefined ? [] : runCautions(run, options.data === undefined ? dataset.hash : undefined)),
		...(fitting === undefined ? [noFittingRows] : []),
		...(opened?.caution === undefined ? [] : [opened.caution]),
		...(options.calibration === 'temperature' ? temperatureCautions(adapter) : []),
	];
	const rows = dataset.splits[split];
	if (options.lines === true) requireFlawedLines(rows, `${options.data ?? config.data.path}: ${split}`);
	return { dataset, rows, fitting, cautions, skipped };
}

async function evaluateOpened(
	{ config, adapter, run, opened }: OpenedEvaluation,
	options: EvaluationOptions,
	progress: (done: number, total: number) => void,
	note: (line: string) => void,
): Promise<RunEvaluation> {
	const own = config.training.precision;
	const precision = options.precision ?? own;
	const read = await readEvaluated({ config, adapter, run, opened }, options);
	const { dataset, rows, fitting, cautions } = read;
	for (const caution of cautions) note(caution);
	const isCollapsed = config.data.collapseWhitespace;
	const scoreIn = (used: Precision, explains = false): Promise<Scored> => {
		if (opened === undefined) return scoreNgram(config, adapter, rows);
		const asUsed = { ...config, training: { ...config.training, precision: used } };
		return scoreRows({ config: asUsed, adapter, run }, opened, { rows, explains }, options, progress, note);
	};
	const { lineScores, ...scored } = await scoreIn(precision, options.lines);
	const baselines =
		fitting && fitBaselines(textRows(fitting.train, isCollapsed), textRows(fitting.valid, isCollapsed));
	const stack = opened?.description.stack;
	const isOtherStack = stack && baselines && !isStackOf(baselines.ngram.model, stack);
	if (isOtherStack === true) note(otherNgrams);
	const comparison = compareWithBaselines(evaluatedRows(rows, scored.probabilities, isCollapsed), {
		name: detectorName({
			...config.method,
			type: readDescription(adapter)?.trained?.method ?? config.method.type,
		}),
		threshold: scored.threshold,
		baselines,
		without: config.method.type === 'ngram' ? 'ngram' : undefined,
		seed: config.training.seed,
	});
	const stored = keptScores(run, options, read);
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
	const isPositive = (probability: number) => scored.threshold !== null && probability >= scored.threshold;
	const lines =
		lineScores &&
		evaluateLines(rows, lineScores, [...scored.probabilities].map(isPositive), {
			seed: config.training.seed,
			linesLeaveOut: stack?.type ?? null,
		});
	const trainedOn = run && recordedHash(run);
	return {
		...{ comparison, precisionChange, lines, rows, base: opened?.told },
		isOwnData:
			options.data === undefined || (trainedOn === undefined ? undefined : trainedOn === dataset.hash),
		cautions: isOtherStack === true ? [...cautions, otherNgrams] : cautions,
		...scored,
	};
}

const otherNgrams =
	"The n-grams in the table are fitted on the scored dataset's training functions; those that the detector's head sees are of its own training.";

const noFittingRows =
	'The dataset has no training and validation functions of both classes: the length and n-gram baselines are left out.';

/** undefined where neither the scored dataset nor a run has rows to fit baselines on. */
async function fittingRows(
	config: Config | undefined,
	splits: Readonly<Record<SplitName, readonly FunctionRow[]>>,
) {
	const hasBothClasses = new Set(splits.train.map((row) => row.label)).size === 2;
	if (hasBothClasses && splits.valid.length > 0) return splits;
	if (config === undefined || !existsSync(config.data.path)) return undefined;
	return (await loadConfiguredDataset(config.data, { required: ['train', 'valid'] })).splits;
}

interface Scored {
	readonly probabilities: Float64Array;
	readonly truncated: number;
	readonly threshold: number | null;
	/** By method [rows] of [lines], where these were asked for. */
	readonly lineScores?: ReadonlyMap<Attribution, readonly (readonly LineScore[])[]>;
}

async function scoreNgram(config: Config, adapter: string, rows: readonly FunctionRow[]): Promise<Scored> {
	const file = path.join(adapter, NGRAM_FILE);
	if (!existsSync(file)) throw unfinishedRun(adapter);
	const { model, threshold } = parseNgram(readFileSync(file, 'utf8'), file);
	const texts = textRows(rows, config.data.collapseWhitespace).map((row) => row.text);
	return { probabilities: Float64Array.from(predictNgram(model, texts)), truncated: 0, threshold };
}

async function scoreRows(
	{ config, adapter, run }: EvaluatedAdapter,
	opened: OpenedAdapter,
	{ rows, explains }: { readonly rows: readonly FunctionRow[]; readonly explains: boolean },
	{ overrides = {}, calibration }: EvaluationOptions,
	progress: (done: number, total: number) => void,
	note: (line: string) => void,
): Promise<Scored> {
	const { tokenizer, folder } = opened.base;
	const backend = openEvaluationBackend(run, config.backend, namesBackend(overrides), note);
	try {
		const { tokens } = await tokenizedSplit(config, rows, tokenizer, folder.config);
		const scorer = await createScorer(config, adapter, opened, backend, calibration);
		try {
			const texts = textRows(rows, config.data.collapseWhitespace).map(({ text }) => text);
			const scores = await scorer.scoreTokens(tokens, texts, progress);
			const { probabilities, truncated } = scores;
			requireScores(probabilities, (index) => rows[index]!.id);
			if (scores.sharedTokens > 0) note(describeShared(scores));
			const lineScores = explains
				? await explainRows(scorer, rows, folder.config.causal, { progress, note })
				: undefined;
			return { probabilities, truncated, threshold: scorer.threshold, ...(lineScores && { lineScores }) };
		} finally {
			scorer.free();
		}
	} finally {
		backend.close();
	}
}

/** The scores that a run keeps of the very functions of an evaluation; undefined where it keeps none that can be compared with. */
export function keptScores(
	run: EvaluatedAdapter['run'],
	{ data, split }: EvaluationOptions,
	{ rows, cautions, skipped }: EvaluatedRows,
): ReturnType<typeof storedScores> {
	const isTrusted = cautions.every((caution) => caution === uncheckedBase || skipped.includes(caution));
	const isRunsOwn = run !== undefined && data === undefined && isTrusted;
	return isRunsOwn ? storedScores(run.predictions(split), rows) : undefined;
}

/** Whether what computes was asked for by name. */
export function namesBackend(overrides: ConfigOverrides): boolean {
	return Object.keys(overrides).some((name) => name.startsWith('backend.'));
}

/** The methods by which lines are scored under a model. */
export function lineMethods(causal: boolean): readonly Attribution[] {
	return attributions.filter((method) => method !== 'attention' || !causal);
}

/** By every method that is for the model. */
async function explainRows(
	scorer: Scorer,
	rows: readonly FunctionRow[],
	causal: boolean,
	{
		progress,
		note,
	}: { readonly progress: (done: number, total: number) => void; readonly note: (line: string) => void },
): Promise<NonNullable<Scored['lineScores']>> {
	if (scorer.isStacked) note(stackHasNoLines);
	const codes = rows.map(({ code }) => code);
	const methods = lineMethods(causal);
	const scores = new Map<Attribution, readonly (readonly LineScore[])[]>();
	for (const method of methods) scores.set(method, await scorer.explain(codes, method, progress));
	return scores;
}
