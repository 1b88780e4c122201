import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inputError, makeFolder, VulntuneError, writeTextAtomically } from '@vulntune/engine';
import { requireFolderOrNothing } from '@vulntune/engine/formats/files.ts';
import { joinSplits } from '../audit/join-splits.ts';
import { countUnnamed, type Projects } from '../audit/projects.ts';
import type { FunctionRow } from '../data/row.ts';
import { evaluatedRows } from '../evaluation/evaluated-rows.ts';
import { formatPredictions } from '../evaluation/predictions.ts';
import type { TrainingEvent } from '../fine-tuning/run-events.ts';
import { startTraining } from '../fine-tuning/start-training.ts';
import { isRemains, removeRemains } from '../run/run-folder.ts';
import { type CrossValidation, compareFolds } from './compare-folds.ts';
import { type CrossValidationRequest, dealFolds, describeDeal } from './deal-folds.ts';
import {
	foldConfig,
	foldFolder,
	foldSplits,
	isBegun,
	joinFolds,
	type OutOfFold,
	writeFoldData,
} from './fold-folder.ts';
import type { FoldPlan } from './plan-folds.ts';

/** Hears how far it is. */
export interface CrossValidationListener {
	readonly note: (line: string) => void;
	/** What the run of a fold tells. */
	readonly event: (event: TrainingEvent) => void;
	readonly interruption: AbortSignal;
}

/** Names what a folder was made for, so that only the same goes on in it. */
const RECORD = 'cross-validation.json';

/**
 * Trains the method of a config and the baselines once per fold, on all rows but those that the fold holds out, and compares them on the
 * scores that every row got while it was held out. Goes on where an earlier process was stopped.
 *
 * Throws CROSS_VALIDATION_FROM, CROSS_VALIDATION_FOLDS, CROSS_VALIDATION_OTHER, CROSS_VALIDATION_MIXED, OUTPUT_TAKEN, INTERRUPTED, and what a training
 * throws.
 */
export async function crossValidate(
	request: CrossValidationRequest,
	listener: CrossValidationListener,
): Promise<CrossValidation> {
	const { config, folds, repeats } = request;
	const { output } = config;
	const dealt = await dealFolds(request, listener.note);
	const { dataset, projects, rows, clusterOf, plans, foldersOf } = dealt;
	claimFolder(output, dealt.identity);
	// a fold's run clears its own folder
	removeRemains([output, ...foldersOf.flat().map(({ data }) => data)]);
	listener.note(describeDeal(dealt));
	const byRepeat: OutOfFold[][] = [];
	for (const [repeat, plan] of plans.entries()) {
		for (let fold = 0; fold < folds; fold++) {
			listener.note(
				`fold ${fold + 1} of ${folds}${repeats > 1 ? `, repeat ${repeat + 1} of ${repeats}` : ''}`,
			);
			await runFold(request, { repeat, fold, plan, rows, projects }, listener);
		}
		byRepeat.push(joinFolds(foldersOf[repeat]!, plan.foldOf, output));
	}
	const names = uniqueNames(dataset.splits);
	const clusters = Array.from(clusterOf, String);
	for (const [repeat, [model]] of byRepeat.entries()) {
		const name = repeat === 0 ? 'predictions.oof.jsonl' : `predictions.oof.${repeat + 1}.jsonl`;
		writeTextAtomically(
			path.join(output, name),
			outOfFoldLines(rows, names, model!, plans[repeat]!, clusters),
		);
	}
	const { collapseWhitespace } = config.data;
	const evaluated = evaluatedRows(rows, byRepeat[0]![0]!.scores, collapseWhitespace).map((row, index) => ({
		...row,
		id: names[index]!,
		cluster: clusters[index]!,
	}));
	const result = compareFolds(evaluated, byRepeat, {
		...{ output, folds, repeats, seed: config.training.seed, similarity: request.similarity },
		foldOf: plans.map((plan) => plan.foldOf),
		...countUnnamed(rows, projects),
	});
	writeTextAtomically(path.join(output, 'comparison.json'), `${JSON.stringify(result, null, '\t')}\n`);
	return result;
}

/** Throws CROSS_VALIDATION_OTHER, RUN_FILE, OUTPUT_TAKEN, OUTPUT_NOT_FOLDER. */
export function checkFolder(output: string, identity: string): void {
	requireFolderOrNothing(output);
	const record = path.join(output, RECORD);
	if (existsSync(record)) {
		const found = readIdentity(record);
		if (found === identity) return;
		if (typeof found !== 'string') {
			throw inputError('RUN_FILE', 'it does not say which cross-validation the folder holds', {
				place: record,
				remedy: 'Put a copy of it back, or choose another --output.',
			});
		}
		throw inputError(
			'CROSS_VALIDATION_OTHER',
			'the folder holds a cross-validation with another config, dataset, model or other folds',
			{ place: output, remedy: 'Go on with what it was begun with, or choose another --output.' },
		);
	}
	// a process that was killed in its first moment leaves a record without its name
	if (existsSync(output) && !readdirSync(output).every(isRemains)) {
		throw inputError('OUTPUT_TAKEN', 'the folder holds something else than a cross-validation', {
			place: output,
			remedy: 'Choose another --output.',
		});
	}
}

function claimFolder(output: string, identity: string): void {
	checkFolder(output, identity);
	const record = path.join(output, RECORD);
	if (existsSync(record)) return;
	makeFolder(output);
	writeTextAtomically(
		record,
		`${JSON.stringify({ schema: 'vulntune.cross-validation/1', identity }, null, '\t')}\n`,
	);
}

/** What a folder was made for; undefined where its record is damaged. */
function readIdentity(record: string): unknown {
	try {
		return (JSON.parse(readFileSync(record, 'utf8')) as { identity?: unknown } | null)?.identity;
	} catch (cause) {
		if (!(cause instanceof SyntaxError)) throw cause;
		return undefined;
	}
}

interface FoldWork {
	readonly repeat: number;
	readonly fold: number;
	readonly plan: FoldPlan;
	readonly rows: readonly FunctionRow[];
	readonly projects: Projects;
}

async function runFold(
	{ config, similarity }: CrossValidationRequest,
	{ repeat, fold, plan, rows, projects }: FoldWork,
	{ event, interruption }: CrossValidationListener,
): Promise<void> {
	const folder = foldFolder(config.output, repeat, fold);
	const resume = isBegun(folder);
	if (!resume) writeFoldData(folder, foldSplits(rows, plan.parts[fold]!, projects));
	const mode = { resume, overwrite: false };
	const outcome = await startTraining(
		foldConfig(config, folder, { repeat, similarity }),
		mode,
		event,
		interruption,
	);
	if (outcome.status !== 'interrupted') return;
	throw new VulntuneError({
		code: 'INTERRUPTED',
		kind: 'interrupted',
		message: 'stopped; the folds that are done are kept, and what there is of this one',
		place: config.output,
		remedy: 'Go on with the same command.',
	});
}

/** An id for every row of all splits: its own, with its split before it where another row has the same. */
function uniqueNames(splits: Parameters<typeof joinSplits>[0]): (string | number)[] {
	const { rows, splitOf } = joinSplits(splits);
	const isUnique = new Set(rows.map(({ id }) => String(id))).size === rows.length;
	return rows.map(({ id }, index) => (isUnique ? id : `${splitOf[index]}:${id}`));
}

function outOfFoldLines(
	rows: readonly FunctionRow[],
	names: readonly (string | number)[],
	{ scores, threshold }: OutOfFold,
	{ foldOf }: FoldPlan,
	clusters: readonly string[],
): string {
	return formatPredictions(
		rows.map(({ label, commit, cwe, functionName, status }, row) => ({
			...{ id: names[row]!, label, probability: scores[row]!, commit, cwe, functionName, status },
			...{ cluster: clusters[row]!, fold: foldOf[row]! + 1, threshold: threshold[row]! },
		})),
	);
}
