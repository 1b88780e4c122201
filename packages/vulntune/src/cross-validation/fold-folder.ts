import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inputError, makeFolder, writeTextAtomically } from '@vulntune/engine';
import { NEAR } from '../audit/duplicates.ts';
import { type Projects, projectOf } from '../audit/projects.ts';
import type { Config } from '../config/schema.ts';
import { type SplitName, splitNames } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import type { BaselineScores } from '../evaluation/baseline-detectors.ts';
import type { Comparison } from '../evaluation/compare-with-baselines.ts';
import { parsePredictions } from '../evaluation/predictions.ts';
import { runFolder } from '../run/run-folder.ts';
import type { FoldPart } from './plan-folds.ts';

/** Where one fold of one repeat lies: its rows as a dataset, and an ordinary run on them. */
export interface FoldFolder {
	readonly data: string;
	readonly run: string;
}

/** @param repeat and fold from 0 */
export function foldFolder(output: string, repeat: number, fold: number): FoldFolder {
	const root = path.join(output, 'folds', `${repeat + 1}-${fold + 1}`);
	return { data: path.join(root, 'data'), run: path.join(root, 'run') };
}

/** The rows of a fold; each row's id is its number among all, and it has its project. */
export function foldSplits(
	rows: readonly FunctionRow[],
	parts: readonly FoldPart[],
	projects: Projects,
): Readonly<Record<SplitName, readonly FunctionRow[]>> {
	const named = rows.map((row, id): FunctionRow => {
		const repo = projectOf(row, projects);
		return { ...row, id, ...(repo === undefined ? {} : { repo }) };
	});
	const ofPart = (part: FoldPart) => named.filter((_, index) => parts[index] === part);
	return { train: ofPart('train'), valid: ofPart('valid'), test: ofPart('test') };
}

/** Writes the rows of a fold as a dataset. */
export function writeFoldData({ data }: FoldFolder, splits: ReturnType<typeof foldSplits>): void {
	makeFolder(data);
	for (const part of splitNames) {
		const text = splits[part].map((row) => `${JSON.stringify(lineOf(row))}\n`).join('');
		writeTextAtomically(path.join(data, `${part}.jsonl`), text);
	}
}

function lineOf({ id, code, label, functionName, status, commit, cwe, repo, synthetic }: FunctionRow) {
	return { id, code, target: label, status, commit, cwe, repo, function_name: functionName, synthetic };
}

/**
 * The config of a fold's run.
 *
 * @param similarity from which on folds keep two functions together; those of a stacked head do too, where the config says no other
 */
export function foldConfig(
	config: Config,
	{ data, run }: FoldFolder,
	{ repeat, similarity }: { readonly repeat: number; readonly similarity: number },
): Config {
	const { stack, stackSimilarity } = config.method;
	const isOpen = stack !== null && stackSimilarity === NEAR;
	return {
		...config,
		// near-duplicates are in one fold, and rows have their projects
		data: { ...config.data, path: data, projects: null, dropNearDuplicates: false },
		method: { ...config.method, stackSimilarity: isOpen ? similarity : stackSimilarity },
		training: { ...config.training, seed: config.training.seed + repeat },
		output: run,
	};
}

/** What a detector makes of the rows that a fold held out. */
export interface FoldScores {
	readonly name: string;
	/** By the number of the row among all. */
	readonly scores: ReadonlyMap<number, number>;
	readonly threshold: number | null;
}

/**
 * The scores of a finished fold: the method's first, then its baselines'; and the base that they were made on. Throws RUN_FILE where
 * they can't be read.
 */
export function readFold({ run }: FoldFolder): { detectors: readonly FoldScores[]; base: string } {
	try {
		return readFinished(run);
	} catch (cause) {
		throw inputError('RUN_FILE', `the run of a fold is not as it was written: ${(cause as Error).message}`, {
			place: run,
			remedy: 'Remove the folder and give the same command again: this fold alone is computed anew.',
			cause,
		});
	}
}

function readFinished(run: string): ReturnType<typeof readFold> {
	const folder = runFolder(run);
	const read = (file: string) => readFileSync(file, 'utf8');
	const comparison = JSON.parse(read(folder.comparison)) as Comparison;
	const file = folder.predictions('test');
	const predictions = parsePredictions(read(file), file);
	const lines = read(folder.baselines)
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line) as BaselineScores);
	const detectors = comparison.rows.map(({ name, kind, evaluation }): FoldScores => {
		const scores =
			kind === 'model'
				? predictions.map(({ id, probability }) => [Number(id), probability!] as const)
				: lines.map(({ id, scores: all }) => [Number(id), all[name]!] as const);
		return { name, scores: new Map(scores), threshold: evaluation.threshold.value };
	});
	const { base } = JSON.parse(read(folder.environment)) as { base?: unknown };
	return { detectors, base: JSON.stringify(base ?? null) };
}

/** A detector's scores of all rows, each from the fold that held it out, with the threshold of that. */
export interface OutOfFold {
	readonly name: string;
	readonly scores: readonly number[]; // [rows]
	readonly threshold: readonly number[]; // [rows]
}

/**
 * Joins the folds of one repeat. Throws CROSS_VALIDATION_MIXED where they were not all made on the same base.
 *
 * @param folders [folds]
 */
export function joinFolds(folders: readonly FoldFolder[], foldOf: Int32Array, output: string): OutOfFold[] {
	const folds = folders.map(readFold);
	if (new Set(folds.map(({ base }) => base)).size > 1) {
		throw inputError('CROSS_VALIDATION_MIXED', 'its folds were made on different base models', {
			place: output,
			remedy: 'Choose another --output, and leave the base as it is until all folds are done.',
		});
	}
	return folds[0]!.detectors.map(({ name }, place) => {
		const ofRow = Array.from(foldOf, (fold) => folds[fold]!.detectors[place]!);
		return {
			name,
			scores: ofRow.map(({ scores }, row) => scores.get(row)!),
			// validation has both classes in every fold, so that it chose one
			threshold: ofRow.map(({ threshold }) => threshold!),
		};
	});
}

/** Whether a fold's run was begun. */
export function isBegun({ run }: FoldFolder): boolean {
	return existsSync(runFolder(run).environment);
}
