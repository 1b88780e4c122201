import { existsSync } from 'node:fs';
import { createTrainableModel, type Model, requireBackend } from '@vulntune/engine';
import { alone, type Processes, type VectorCommunicator } from '../communication/communicator.ts';
import { openSameBackend, ownBackend } from '../communication/own-backend.ts';
import type { Followed } from '../communication/together.ts';
import { identityHash } from '../run/identity.ts';
import { openRunBackend } from '../run/run-backend.ts';
import {
	type ClaimMode,
	claimRunFolder,
	type RunFolder,
	refuseExistingRun,
	runFolder,
} from '../run/run-folder.ts';
import { writeRunHeader } from '../run/run-header.ts';
import type { Signals } from '../run/run-thread.ts';
import { otherRun, readAs } from '../training/earlier-run.ts';
import { createOptimizer } from '../training/optimizer.ts';
import {
	beginTogether,
	followedProgress,
	openRunProgress,
	type RunProgress,
	type RunTarget,
	resumeState,
} from '../training/run-progress.ts';
import { computeTogether } from '../training/same-run.ts';
import { warmupNote } from '../training/schedule.ts';
import { createStopwatch, memoryFacts } from '../training/stopwatch.ts';
import type { PackProgress } from '../training/task.ts';
import { train } from '../training/trainer.ts';
import type { PretrainConfig } from './config-schema.ts';
import { loadPretrainConfig, pretrainingConfig } from './load-config.ts';
import { modelCard } from './model-card.ts';
import {
	countSteps,
	initialPretrainState,
	type PretrainRecord,
	type PretrainState,
	pretrainingTask,
	type ValidationLoss,
} from './pretraining-task.ts';
import { saveModelFolder } from './save-model.ts';
import { type PretrainSession, preparePretraining } from './session.ts';

/** What a run tells the process that shows it. Plain data: it crosses threads. */
export type PretrainEvent =
	| { readonly type: 'note'; readonly line: string }
	| {
			readonly type: 'training';
			readonly step: number;
			readonly steps: number;
			readonly epoch: number;
			readonly tokensPerSecond: number;
			readonly secondsLeft: number;
			readonly residentBytes: number;
			/** Of the last step. */
			readonly loss: number | null;
	  }
	| { readonly type: 'validating'; readonly done: number; readonly total: number }
	| { readonly type: 'record'; readonly record: PretrainRecord };

export type PretrainOutcome =
	| {
			readonly status: 'finished';
			readonly output: string;
			/** The folder of the model. */
			readonly model: string;
			readonly parameters: number;
			readonly steps: number;
			readonly validation: ValidationLoss;
	  }
	| { readonly status: 'alreadyFinished'; readonly output: string; readonly model: string }
	| { readonly status: 'interrupted'; readonly output: string }
	/** The first of several processes has the outcome. */
	| Followed;

/** All that a run works with once it is loaded. */
interface LoadedPretraining {
	readonly config: PretrainConfig;
	readonly folder: RunFolder;
	readonly session: PretrainSession;
	readonly target: RunTarget & { readonly model: Model; readonly communicator: VectorCommunicator };
	readonly signals: Signals<PretrainEvent>;
}

/**
 * A whole run: from a config to a run folder with the model, its tokenizer and metrics; or on from its newest
 * checkpoint. Equal configs give equal bytes in model and metrics, however many processes compute it.
 *
 * @param processes those that share its work out; the first alone looks at the run folder
 */
export async function runPretraining(
	config: PretrainConfig,
	mode: ClaimMode,
	signals: Signals<PretrainEvent>,
	processes: Processes = alone,
): Promise<PretrainOutcome> {
	const folder = runFolder(config.output);
	const isFirst = processes.rank === 0;
	if (isFirst) refuseExistingRun(folder, mode);
	if (isFirst && mode.resume) refuseOtherCommand(folder);
	const note = (line: string) => signals.emit({ type: 'note', line });
	const choice = await ownBackend(config.backend, processes);
	requireBackend(choice);
	const session = preparePretraining(config, note);
	const backend = await openSameBackend(processes, choice, note, (own) =>
		openRunBackend(mode.resume ? folder : undefined, own, note),
	);
	try {
		const { seed } = config.training;
		const llama = createTrainableModel(backend, session.modelConfig, config.sequence.length, seed);
		const { model, parameters } = llama;
		const optimizer = createOptimizer(backend, parameters, session.settings.optimizer);
		try {
			const { identity } = session;
			return await computeTogether(processes, identity, backend, note, (communicator) => {
				const target = { backend, model, parameters, optimizer, identity, communicator };
				const work = () => pretrainFrom({ config, folder, session, target, signals }, mode);
				return isFirst ? claimRunFolder(folder, mode, work) : work();
			});
		} finally {
			optimizer.free();
			llama.free();
		}
	} finally {
		backend.close();
	}
}

/** The run in its folder, from its newest checkpoint or from its start. */
async function pretrainFrom(run: LoadedPretraining, mode: ClaimMode): Promise<PretrainOutcome> {
	const { folder, target } = run;
	const { communicator } = target;
	const begin = () => beginRun(run, mode);
	const state = await beginTogether(target, communicator, begin);
	if (state.finished) {
		return { status: 'alreadyFinished', output: folder.root, model: folder.model };
	}
	const progress = communicator.rank === 0 ? openRunProgress(folder, state, target) : followedProgress;
	try {
		return await pretrainAndSave(run, state, progress);
	} finally {
		progress.close();
	}
}

/** Where the run stands in its folder, its tensors restored; writes what a run begins with. */
function beginRun(
	{ config, folder, session, target, signals }: LoadedPretraining,
	mode: ClaimMode,
): PretrainState {
	const note = (line: string) => signals.emit({ type: 'note', line });
	const { backend, identity } = target;
	const resumed = mode.resume ? resumeState<PretrainState>(folder, target, note) : undefined;
	const state = resumed?.state ?? initialPretrainState();
	if (state.finished) return state;
	const totalSteps = countSteps(
		session.data.train.map((ids) => ids.length),
		session.settings,
	);
	const shortened = warmupNote({ ...session.settings.schedule, totalSteps });
	if (shortened !== undefined) note(shortened);
	writeRunHeader(
		folder,
		config,
		{
			backend: `${backend.name} (${backend.description})`,
			hardware: backend.hardware,
			datasetHash: session.dataHash,
			tokenizerHash: session.tokenizer.tokenizer.hash,
			fingerprint: identityHash(identity),
		},
		pretrainingConfig.options,
	);
	return state;
}

/** Throws CHECKPOINT_OTHER_RUN where the folder holds the run of another command, which going on would lose. */
function refuseOtherCommand(folder: RunFolder): void {
	if (
		!existsSync(folder.config) ||
		readAs(() => loadPretrainConfig(folder.config, { isRecord: true })) !== undefined
	)
		return;
	throw otherRun(folder, 'the folder holds a run of another command, not of pretrain');
}

async function pretrainAndSave(
	run: LoadedPretraining,
	state: PretrainState,
	progress: RunProgress,
): Promise<PretrainOutcome> {
	const { config, folder, session, target } = run;
	const outcome = await pretrainWithEvents(run, state, progress);
	if (outcome === 'interrupted') return { status: 'interrupted', output: folder.root };
	if (target.communicator.rank > 0) return { status: 'followed' };
	const { step, epoch } = state;
	// a finished run has measured the loss after its last step
	const validation = state.validation!;
	const parameters = target.parameters.values.shape[0]!;
	saveModelFolder(
		folder.model,
		target.backend,
		target.parameters,
		config.model.storage,
		modelFiles(config, session, { parameters, step, validation }),
	);
	progress.metrics.append({ type: 'end', step, epoch, validation });
	state.finished = true;
	progress.save();
	return {
		status: 'finished',
		output: folder.root,
		model: folder.model,
		parameters,
		steps: step,
		validation,
	};
}

function pretrainWithEvents(
	{ config, session, target, signals }: LoadedPretraining,
	state: PretrainState,
	logs: RunProgress,
): Promise<'finished' | 'interrupted'> {
	const { data, settings } = session;
	const { precision, checkpointing } = config.training;
	const pass = { backend: target.backend, model: target.model, precision, checkpointing };
	const lengths = data.train.map((ids) => ids.length);
	const steps = countSteps(lengths, settings);
	const stopwatch = createStopwatch(undefined, target.backend.waitedSeconds);
	let loss: number | null = null;
	const listener = {
		progress({ stepShare, tokens }: PackProgress) {
			stopwatch.count(tokens);
			signals.emit({
				type: 'training',
				step: state.step,
				steps,
				epoch: state.epoch,
				tokensPerSecond: stopwatch.tokensPerSecond(),
				secondsLeft: stopwatch.secondsLeft((state.step + stepShare) / steps),
				residentBytes: process.memoryUsage.rss(),
				loss,
			});
		},
		record(record: PretrainRecord) {
			logs.metrics.append(record);
			logs.timings.append(stopwatch.lap(record, memoryFacts(target.backend)));
			if (record.type === 'step') loss = record.loss;
			signals.emit({ type: 'record', record });
		},
		validating: (done: number, total: number) => signals.emit({ type: 'validating', done, total }),
		checkpoint: logs.save,
		interrupted: signals.interrupted,
	};
	const task = pretrainingTask(pass, data, settings, listener, target.communicator);
	const schedule = { ...settings.schedule, totalSteps: steps };
	return train(task, target.optimizer, { ...settings, schedule }, state, listener, target.communicator);
}

function modelFiles(
	config: PretrainConfig,
	session: PretrainSession,
	run: { readonly parameters: number; readonly step: number; readonly validation: ValidationLoss },
): ReadonlyMap<string, Uint8Array> {
	const { train } = session.data;
	const card = modelCard(config, {
		parameters: run.parameters,
		documents: train.length,
		steps: run.step,
		corpusTokens: train.reduce((sum, ids) => sum + ids.length + 1, 0),
		validation: run.validation,
	});
	const encoder = new TextEncoder();
	return new Map([
		...session.tokenizer.files,
		['config.json', encoder.encode(`${JSON.stringify(session.modelConfigJson, null, '\t')}\n`)],
		['README.md', encoder.encode(card)],
	]);
}
