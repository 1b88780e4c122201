import { existsSync, readdirSync } from 'node:fs';
import { canonicalJson, inputError, VulntuneError } from '@vulntune/engine';
import { valueAt } from '../config/needs.ts';
import type { Config } from '../config/schema.ts';
import { loadNewestCheckpoint } from '../run/checkpoint-store.ts';
import { hasEnded } from '../run/end-record.ts';
import { resultSettings } from '../run/identity.ts';
import { readRunConfig } from '../run/run-config.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { type CheckpointHead, readCheckpointHead, type TrainingState } from './state.ts';

/** Differences that are named before the rest is counted. */
const namedDifferences = 4;

/**
 * Looks at the run that `--resume` found, before any model or data is loaded.
 *
 * @returns whether it is finished: its last line is written and its newest checkpoint says so, or none is left of them. A
 * finished run of fewer epochs than the config asks for is not: it is extended
 * @throws VulntuneError CHECKPOINT_OTHER_RUN where the folder holds the run of another method or command, or one of other
 * settings, which it names: going on would lose it
 */
export function isFinishedRun(folder: RunFolder, config: Config): boolean {
	const earlier = requireOwnMethod(folder, config);
	if (earlier === undefined || (!hasEnded(folder) && !hasCheckpoints(folder))) return false;
	refuseOtherSettings(folder, earlier, config);
	if (!hasEnded(folder)) return false;
	const head = newestHead(folder);
	const isLonger = config.training.epochs > earlier.training.epochs;
	if (head === undefined) {
		if (isLonger)
			throw otherRun(folder, 'no checkpoint is left from which the run could go on to more epochs');
		return true;
	}
	const { identity, state } = head;
	if (typeof identity !== 'string' && Number(identity.epochs) !== config.training.epochs) return false;
	// where only places differ, the identity in the checkpoint tells whether they hold the same
	return state.finished && !isLonger && isSamePlace(earlier, config);
}

/** Throws CHECKPOINT_OTHER_RUN where the folder holds the run of another method or command; gives its config otherwise. */
export function requireOwnMethod(folder: RunFolder, { method }: Config): Config | undefined {
	if (!existsSync(folder.config)) return undefined;
	const earlier = readAs(() => readRunConfig(folder));
	if (earlier?.method.type === method.type) return earlier;
	const whose = earlier === undefined ? 'another command' : `method.type ${earlier.method.type}`;
	throw otherRun(folder, `the folder holds a run of ${whose}, not of ${method.type}`);
}

/** What `read` makes of a config.yaml; undefined where it is another command's. */
export function readAs<Read>(read: () => Read): Read | undefined {
	try {
		return read();
	} catch (error) {
		if (error instanceof VulntuneError) return undefined;
		throw error;
	}
}

function refuseOtherSettings(folder: RunFolder, earlier: Config, config: Config): void {
	const differences = settingDifferences(earlier, config);
	if (differences.length > 0) {
		const more = differences.length - namedDifferences;
		const named = `${differences.slice(0, namedDifferences).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
		throw otherRun(folder, `the run was made with another configuration: ${named}`);
	}
	const [had, asked] = [earlier.training.epochs, config.training.epochs];
	if (asked < had) throw otherRun(folder, `the run has training.epochs ${had}, more than ${asked}`);
	if (asked > had && !hasEnded(folder)) {
		const message = `the run of ${had} epochs is not finished: finish it before it goes on to ${asked}`;
		throw otherRun(folder, message);
	}
}

/** The settings that change results and differ, as `training.seed: 1, not 2`. */
function settingDifferences(earlier: Config, config: Config): string[] {
	const [had, asked] = [flatten(resultSettings(earlier)), flatten(resultSettings(config))];
	return [...new Set([...had.keys(), ...asked.keys()])]
		.filter((name) => had.get(name) !== asked.get(name))
		.map((name) => {
			// an option that is off is left out of what counts
			const shown = (counted: Map<string, string>, whole: Config) =>
				counted.get(name) ?? canonicalJson(valueAt(whole, name.split('.')) ?? null);
			return `${name}: ${shown(had, earlier)}, not ${shown(asked, config)}`;
		});
}

/** Options by their names, each with its value as text. */
function flatten(settings: object): Map<string, string> {
	const entries = Object.entries(settings).flatMap(([name, value]): [string, string][] => {
		const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
		if (!isSection) return [[name, canonicalJson(value)]];
		return Object.entries(value).map(([option, part]) => [`${name}.${option}`, canonicalJson(part)]);
	});
	return new Map(entries);
}

function isSamePlace(earlier: Config, config: Config): boolean {
	return earlier.model === config.model && earlier.data.path === config.data.path;
}

function hasCheckpoints(folder: RunFolder): boolean {
	return existsSync(folder.checkpoints) && readdirSync(folder.checkpoints).length > 0;
}

function newestHead(folder: RunFolder): CheckpointHead<TrainingState> | undefined {
	// damaged ones are named where the run goes on from an older one
	const checkpoint = loadNewestCheckpoint(folder.checkpoints, () => {});
	return checkpoint && readCheckpointHead<TrainingState>(checkpoint);
}

/** The error for a folder with a run that is not the one to go on with. */
export function otherRun(folder: RunFolder, message: string): Error {
	return inputError('CHECKPOINT_OTHER_RUN', message, {
		place: folder.root,
		remedy: 'Resume with its own config.yaml, choose another --output, or replace it with --overwrite.',
	});
}
