import {
	type Backend,
	HOST_ARRAYS,
	inputError,
	type ModelFingerprint,
	type Parameters,
	type View,
} from '@vulntune/engine';
import type { CheckpointFiles, LoadedCheckpoint } from '../run/checkpoint-store.ts';
import { checkIdentity, type RunIdentity } from '../run/identity.ts';
import type { Optimizer } from './optimizer.ts';

/** The best epoch so far. */
export interface BestEpoch {
	readonly epoch: number;
	/** null where the validation split has one class only; then the lowest loss decides. */
	readonly rocAuc: number | null;
	readonly loss: number;
	readonly threshold: number | null;
}

/**
 * Counts the changes of what a step computes from equal settings. A checkpoint of other rules is not gone on from: the rest would
 * be neither run. 2: norms and biases don't decay; dropout under `order: arrival` is never the same twice. 3: the gradients of a
 * step's packs are added up whole.
 */
const TRAINING_RULES = 3;

/** What the state of every kind of run has. */
export interface RunState {
	/** Counted from 1. */
	epoch: number;
	/** Packs of this epoch that are done. */
	packs: number;
	/** Optimiser steps that are done. */
	step: number;
	/** Sums over the packs since the last step. */
	groupLoss: number;
	groupTokens: number;
	finished: boolean;
	/** Lengths of the run's logs. */
	metricsBytes: number;
	timingsBytes: number;
}

/** Everything that a run must know to go on as if it had not stopped, besides the tensors. */
export interface TrainingState extends RunState {
	best: BestEpoch | null;
	epochsWithoutBest: number;
	/** Where a finished run went on to more epochs the last time; absent where it never did. */
	extension?: {
		/** The first epoch that was added. */
		readonly firstEpoch: number;
		/** Optimiser steps before it: its schedule counts from there. */
		readonly stepsBefore: number;
		/** Whether its line is in metrics.jsonl. */
		isLogged: boolean;
	};
	/** Bases that what is trained was on before, by --allow-other-base; absent where it never changed. */
	earlierBases?: readonly ModelFingerprint[];
}

export function initialState(): TrainingState {
	return { ...initialRunState(), best: null, epochsWithoutBest: 0 };
}

export function initialRunState(): RunState {
	return {
		epoch: 1,
		packs: 0,
		step: 0,
		groupLoss: 0,
		groupTokens: 0,
		finished: false,
		metricsBytes: 0,
		timingsBytes: 0,
	};
}

/** Sorts by age. */
export function checkpointName(state: RunState): string {
	const padded = (value: number) => String(value).padStart(8, '0');
	return `step-${padded(state.step)}-epoch-${padded(state.epoch)}-pack-${padded(state.packs)}`;
}

/** The flat vectors of a run. Gradients too, so that a run may stop between two packs of one step. */
export function vectors(parameters: Parameters, optimizer: Optimizer): ReadonlyMap<string, View> {
	return new Map([
		['parameters.f32', parameters.values],
		['gradients.f32', parameters.gradients],
		...optimizer.moments,
	]);
}

export function checkpointFiles(
	backend: Backend,
	state: RunState,
	parameters: Parameters,
	optimizer: Optimizer,
	identity: RunIdentity,
): CheckpointFiles {
	const files = new Map<string, Uint8Array>();
	files.set(
		'state.json',
		new TextEncoder().encode(JSON.stringify({ rules: TRAINING_RULES, identity, state })),
	);
	for (const [name, view] of vectors(parameters, optimizer)) {
		const values = backend.download(view);
		files.set(name, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
	}
	return files;
}

/** What a checkpoint says of its run, before any tensor is restored. */
export interface CheckpointHead<State> {
	/** `TRAINING_RULES` of the version that made it. */
	readonly rules: number;
	/** One text in checkpoints of earlier versions. */
	readonly identity: RunIdentity | string;
	readonly state: State;
}

export function readCheckpointHead<State extends RunState>(
	checkpoint: Pick<LoadedCheckpoint, 'files'>,
): CheckpointHead<State> {
	const head = JSON.parse(checkpoint.files.get('state.json')!.toString('utf8'));
	return { rules: head.rules ?? 1, identity: head.identity ?? head.fingerprint, state: head.state };
}

/**
 * Restores a run from its checkpoint. Throws CHECKPOINT_OTHER_RUN where it belongs to another configuration, base
 * model or dataset, CHECKPOINT_OTHER_VERSION where it is to go on and is of a version that trains otherwise: going on with it
 * would be neither run.
 *
 * @param mayDiffer parts of the identity that may be others
 */
export function restoreCheckpoint<State extends RunState>(
	backend: Backend,
	checkpoint: Pick<LoadedCheckpoint, 'files'> & {
		/** The run's folder, for messages. */
		readonly place: string;
	},
	parameters: Parameters,
	optimizer: Optimizer,
	identity: RunIdentity,
	mayDiffer: readonly string[] = [],
): { readonly state: State; readonly identity: RunIdentity } {
	const { rules, identity: found, state } = readCheckpointHead<State>(checkpoint);
	const isDone = state.finished && (typeof found === 'string' || found.epochs === identity.epochs);
	if (rules !== TRAINING_RULES && !isDone) {
		throw inputError(
			'CHECKPOINT_OTHER_VERSION',
			'the checkpoint is of a version of vulntune that trains otherwise: the rest of the run would not fit its beginning',
			{
				place: checkpoint.place,
				remedy: 'Finish the run with the version that began it, or start it anew with --overwrite.',
			},
		);
	}
	checkIdentity(found, identity, checkpoint.place, mayDiffer);
	for (const [name, view] of vectors(parameters, optimizer)) {
		const bytes = checkpoint.files.get(name)!;
		const copy = new Uint8Array(bytes); // aligned
		backend.upload(view, new HOST_ARRAYS[view.dtype](copy.buffer));
	}
	return { state, identity: found };
}
