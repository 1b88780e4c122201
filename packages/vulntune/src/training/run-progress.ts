import { type Backend, inputError, type Parameters } from '@vulntune/engine';
import type { VectorCommunicator } from '../communication/communicator.ts';
import { fromFirst } from '../communication/from-first.ts';
import { loadNewestCheckpoint, saveCheckpoint } from '../run/checkpoint-store.ts';
import type { RunIdentity } from '../run/identity.ts';
import { type JsonlLog, openJsonlLog } from '../run/jsonl-log.ts';
import type { RunFolder } from '../run/run-folder.ts';
import type { Optimizer } from './optimizer.ts';
import { checkpointFiles, checkpointName, type RunState, restoreCheckpoint, vectors } from './state.ts';

/** What a run trains, and what tells it from every other run. */
export interface RunTarget {
	readonly backend: Backend;
	readonly parameters: Parameters;
	readonly optimizer: Optimizer;
	readonly identity: RunIdentity;
}

/**
 * The state of the newest whole checkpoint and the identity of the run that made it, its tensors restored; undefined where
 * there never was one. Throws CHECKPOINT_DAMAGED where none of them is whole, CHECKPOINT_OTHER_RUN where parts of the identity
 * are others that may not be.
 */
export function resumeState<State extends RunState>(
	folder: RunFolder,
	{ backend, parameters, optimizer, identity }: RunTarget,
	warn: (line: string) => void,
	mayDiffer: readonly string[] = [],
): { readonly state: State; readonly identity: RunIdentity } | undefined {
	let passedOver = 0;
	const checkpoint = loadNewestCheckpoint(folder.checkpoints, (line) => {
		passedOver += 1;
		warn(line);
	});
	if (checkpoint === undefined && passedOver > 0) {
		throw inputError(
			'CHECKPOINT_DAMAGED',
			'no checkpoint is whole: there is nothing that the run can go on from',
			{
				place: folder.checkpoints,
				remedy: 'Put a whole checkpoint back, or start the run anew with --overwrite.',
			},
		);
	}
	if (checkpoint === undefined) return undefined;
	const { files } = checkpoint;
	const found = { place: folder.root, files };
	return restoreCheckpoint<State>(backend, found, parameters, optimizer, identity, mayDiffer);
}

/** Writes a checkpoint of a state whose log lengths are right already. */
export function saveState(folder: RunFolder, state: RunState, target: RunTarget): void {
	const { backend, parameters, optimizer, identity } = target;
	const files = checkpointFiles(backend, state, parameters, optimizer, identity);
	saveCheckpoint(folder.checkpoints, checkpointName(state), files);
}

/** The logs of a run, cut to where its state stands, and what makes both durable together. */
export interface RunProgress {
	readonly metrics: JsonlLog;
	readonly timings: JsonlLog;
	/** Writes a checkpoint of the state as it is now. */
	save(): void;
	close(): void;
}

export function openRunProgress(folder: RunFolder, state: RunState, target: RunTarget): RunProgress {
	const metrics = openJsonlLog(folder.metrics, state.metricsBytes);
	const timings = openJsonlLog(folder.timings, state.timingsBytes);
	return {
		metrics,
		timings,
		save() {
			state.metricsBytes = metrics.flush();
			state.timingsBytes = timings.flush();
			saveState(folder, state, target);
		},
		close() {
			metrics.close();
			timings.close();
		},
	};
}

/** What a process of several keeps that is not the first: nothing. */
export const followedProgress: RunProgress = {
	metrics: unwrittenLog(),
	timings: unwrittenLog(),
	save: () => {},
	close: () => {},
};

function unwrittenLog(): JsonlLog {
	return { append: () => {}, flush: () => 0, close: () => {} };
}

/**
 * Where the run begins, as the first process has read it from its folder, in every process.
 *
 * @param begin what the first process does; nothing is done elsewhere
 */
export async function beginTogether<Begun>(
	{ parameters, optimizer }: RunTarget,
	communicator: VectorCommunicator,
	begin: () => Begun,
): Promise<Begun> {
	const begun = await fromFirst(communicator, begin);
	for (const view of vectors(parameters, optimizer).values()) await communicator.broadcast(view);
	return begun;
}
