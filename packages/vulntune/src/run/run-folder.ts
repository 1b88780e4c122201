import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileError, inputError, makeFolder, placeOf } from '@vulntune/engine';
import { requireFolderOrNothing } from '@vulntune/engine/formats/files.ts';
import { holdRun, refuseHeldRun } from './run-lock.ts';

/** Where everything of a run lies. */
export interface RunFolder {
	readonly root: string;
	/** There while a process computes the run. */
	readonly lock: string;
	readonly config: string;
	readonly environment: string;
	/** What the splits hold. */
	readonly data: string;
	readonly metrics: string;
	readonly timings: string;
	readonly checkpoints: string;
	readonly adapter: string;
	/** What a pretraining run makes: a whole model. */
	readonly model: string;
	/** The model beside the baselines on the test split. */
	readonly comparison: string;
	/** What the baselines make of every test function. */
	readonly baselines: string;
	readonly report: string;
	readonly readme: string;
	predictions(split: string): string;
}

export function runFolder(root: string): RunFolder {
	const inside = (name: string) => path.join(root, name);
	return {
		root,
		lock: inside('run.lock'),
		config: inside('config.yaml'),
		environment: inside('environment.json'),
		data: inside('data.json'),
		metrics: inside('metrics.jsonl'),
		timings: inside('timings.jsonl'),
		checkpoints: inside('checkpoints'),
		adapter: inside('adapter'),
		model: inside('model'),
		comparison: inside('comparison.json'),
		baselines: inside('baselines.test.jsonl'),
		report: inside('report.html'),
		readme: inside('README.md'),
		predictions: (split) => inside(`predictions.${split}.jsonl`),
	};
}

/** What a run writes, environment.json last: overwriting removes them in this order. */
function filesOf(folder: RunFolder): string[] {
	const results = [
		folder.adapter,
		folder.model,
		folder.comparison,
		folder.baselines,
		folder.report,
		folder.readme,
	];
	const predictions = ['train', 'valid', 'test'].map((split) => folder.predictions(split));
	const logs = [folder.metrics, folder.timings, folder.checkpoints];
	return [...results, ...predictions, ...logs, folder.data, folder.config, folder.environment];
}

/** Whether a folder holds (the beginning of) a run: its environment.json, written first, says which vulntune made it. */
function holdsRun(folder: RunFolder): boolean {
	try {
		const environment: unknown = JSON.parse(readFileSync(folder.environment, 'utf8'));
		return typeof environment === 'object' && environment !== null && 'vulntune' in environment;
	} catch {
		// not there, or another program's
		return false;
	}
}

/** What to do with a run that is in the output folder already. */
export interface ClaimMode {
	readonly resume: boolean;
	readonly overwrite: boolean;
}

/**
 * Throws RUN_HELD where another process computes a run in the folder, RUN_EXISTS where the folder holds a run and neither `resume` nor `overwrite` says what to do with it, and
 * OUTPUT_NOT_FOLDER where it is none. OUTPUT_TAKEN where it is no run, but has a file that a run would write over: a README.md,
 * a config.yaml or a model of somebody else's.
 */
export function refuseExistingRun(folder: RunFolder, mode: ClaimMode): void {
	requireFolderOrNothing(folder.root);
	refuseHeldRun(folder.lock);
	refuseOccupied(folder, mode);
}

function refuseOccupied(folder: RunFolder, mode: ClaimMode): void {
	if (holdsRun(folder) && !mode.resume && !mode.overwrite) {
		throw inputError('RUN_EXISTS', 'the folder holds a run already', {
			place: folder.root,
			remedy: 'Go on with it (--resume), replace it (--overwrite), or choose another --output.',
		});
	}
	const foreign = holdsRun(folder) ? undefined : filesOf(folder).find((file) => existsSync(file));
	if (foreign !== undefined) {
		const name = path.basename(foreign);
		throw inputError('OUTPUT_TAKEN', `the folder holds no run, but a ${name} that a run would write over`, {
			place: folder.root,
			remedy: 'Choose another --output.',
		});
	}
}

/**
 * Throws OUTPUT_TAKEN where a run that replaces an older one is made of what that holds: its base or the adapter that it starts from would
 * be gone before the new run could be scored.
 *
 * @param sources files and folders that the new run reads
 */
export function refuseOwnSources(
	folder: RunFolder,
	{ overwrite }: ClaimMode,
	sources: readonly string[],
): void {
	if (!overwrite) return;
	const removed = filesOf(folder).map(placeOf);
	const own = sources.find((source) => {
		const place = placeOf(source);
		return removed.some((file) => place === file || place.startsWith(file + path.sep));
	});
	if (own === undefined) return;
	throw inputError('OUTPUT_TAKEN', `the run that is replaced holds ${own}, which the new one is made of`, {
		place: folder.root,
		remedy: 'Choose another --output.',
	});
}

/**
 * Makes the folder ready for a run and holds it for this process alone until `work` has ended. `overwrite` removes the old
 * run's files and nothing else, `resume` only what a killed process left half written. Comes after everything that can be wrong
 * with the new run's input, so that a mistyped path costs nobody an old run.
 *
 * Throws RUN_HELD, RUN_EXISTS, OUTPUT_TAKEN, and what `work` throws.
 */
export async function claimRunFolder<Result>(
	folder: RunFolder,
	mode: ClaimMode,
	work: () => Result | Promise<Result>,
): Promise<Result> {
	const release = written(folder, () => {
		makeFolder(folder.root);
		return holdRun(folder.lock);
	});
	try {
		// before it was held, another process may have begun a run here
		refuseOccupied(folder, mode);
		written(folder, () => {
			if (mode.overwrite) {
				for (const file of filesOf(folder)) rmSync(file, { recursive: true, force: true });
			}
			removeRemains([folder.root, folder.checkpoints, folder.adapter, folder.model]);
		});
		return await work();
	} finally {
		release();
	}
}

function written<Result>(folder: RunFolder, write: () => Result): Result {
	try {
		return write();
	} catch (error) {
		throw fileError(error, folder.root, 'written');
	}
}

/** Removes what a killed process was about to write into these folders: files and checkpoints that never got their name. */
export function removeRemains(folders: readonly string[]): void {
	for (const place of folders) {
		if (!existsSync(place)) continue;
		for (const name of readdirSync(place).filter(isRemains)) {
			rmSync(path.join(place, name), { recursive: true, force: true });
		}
	}
}

/** Whether a name is that of something half written. */
export function isRemains(name: string): boolean {
	return /-[0-9a-f]{8}\.partial$/.test(name);
}
