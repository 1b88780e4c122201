import { existsSync } from 'node:fs';
import { inputError, VulntuneError } from '@vulntune/engine';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { loadNewestCheckpoint } from '../run/checkpoint-store.ts';
import { hasEnded } from '../run/end-record.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { resultSettings } from './session.ts';
import type { TrainingState } from './state.ts';

/**
 * Looks at the run that `--resume` found, before any model or data is loaded.
 *
 * @returns whether it is finished: its last line is written and its newest checkpoint says so, or none is left of them
 * @throws VulntuneError CHECKPOINT_OTHER_RUN where the folder holds the run of another method or command, or a finished one
 * of other settings without the checkpoints that could tell more: going on would lose it
 */
export function isFinishedRun(folder: RunFolder, config: Config): boolean {
	refuseOtherMethod(folder, config);
	if (!existsSync(folder.config) || !hasEnded(folder)) return false;
	const state = newestState(folder);
	if (!isSameRun(loadConfig(folder.config), config)) {
		if (state === undefined) throw otherRun(folder, 'the folder holds a finished run of other settings');
		return false; // the fingerprint in the checkpoint knows whether only places differ
	}
	return state?.finished ?? true;
}

/** Throws CHECKPOINT_OTHER_RUN where the folder holds the run of another method or command. */
export function refuseOtherMethod(folder: RunFolder, { method }: Config): void {
	if (!existsSync(folder.config)) return;
	const found = methodTypeOf(folder);
	if (found === method.type) return;
	const whose = found === undefined ? 'another command' : `method.type ${found}`;
	throw otherRun(folder, `the folder holds a run of ${whose}, not of ${method.type}`);
}

/** undefined where config.yaml is none of `vulntune train`. */
function methodTypeOf(folder: RunFolder): string | undefined {
	try {
		return loadConfig(folder.config).method.type;
	} catch (error) {
		if (error instanceof VulntuneError) return undefined;
		throw error;
	}
}

function isSameRun(earlier: Config, config: Config): boolean {
	const isSamePlace = earlier.model === config.model && earlier.data.path === config.data.path;
	return isSamePlace && resultSettings(earlier) === resultSettings(config);
}

function newestState(folder: RunFolder): TrainingState | undefined {
	// damaged ones are named where the run goes on from an older one
	const checkpoint = loadNewestCheckpoint(folder.checkpoints, () => {});
	if (checkpoint === undefined) return undefined;
	return JSON.parse(checkpoint.files.get('state.json')!.toString('utf8')).state;
}

function otherRun(folder: RunFolder, message: string): Error {
	return inputError('CHECKPOINT_OTHER_RUN', message, {
		place: folder.root,
		remedy: 'Resume with its own config.yaml, choose another --output, or replace it with --overwrite.',
	});
}
