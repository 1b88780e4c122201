import { existsSync } from 'node:fs';
import { type Backend, type BackendChoice, requireBackend } from '@vulntune/engine';
import { alone, type Processes } from '../communication/communicator.ts';
import { fromFirst } from '../communication/from-first.ts';
import { openSameBackend, ownBackend } from '../communication/own-backend.ts';
import type { Config } from '../config/schema.ts';
import { leftOutLines } from '../data/summary.ts';
import { adapterFolder } from '../methods/adapter-folder.ts';
import { blamingBase } from '../model/damaged-base.ts';
import { trainingIdentity } from '../run/identity.ts';
import {
	claimRunFolder,
	type RunFolder,
	refuseExistingRun,
	refuseOwnSources,
	runFolder,
} from '../run/run-folder.ts';
import { createDetectorOf } from '../scoring/configured-detector.ts';
import { describeLowerStates, withKeptStates } from '../scoring/frozen-states.ts';
import { prepareData } from '../scoring/prepare-data.ts';
import { chooseCheckpointing } from '../training/choose-checkpointing.ts';
import type { RehearsedRun } from '../training/rehearse.ts';
import { fullestPacks, rehearsedRun } from '../training/rehearsed-run.ts';
import { computeTogether } from '../training/same-run.ts';
import type { LoadedRun } from './begin-run.ts';
import { openTrainingBackend } from './open-training-backend.ts';
import type { RunMode, RunOutcome, RunSignals } from './run-events.ts';
import { describeRefit, type StackedData, stackOnNgram } from './stack-ngram.ts';
import { openTrainingBase, type TrainingBase } from './start-adapter.ts';
import { trainAndFinish } from './train-and-finish.ts';
import { describeTrainingRows, oneClassValidationNote } from './training-rows.ts';

/**
 * A whole run: from a config to a run folder with adapter, metrics, predictions and report; or on from its newest
 * checkpoint. Equal configs give equal bytes in metrics, adapter and predictions, however many processes compute it.
 *
 * @param processes those that share its work out; the first alone looks at the run folder
 */
export async function runTraining(
	config: Config,
	mode: RunMode,
	signals: RunSignals,
	processes: Processes = alone,
): Promise<RunOutcome> {
	const folder = runFolder(config.output);
	const ended = await fromFirst(processes, () => endedBefore(folder, config, mode));
	if (ended !== null) return ended;
	const note = (line: string) => signals.emit({ type: 'note', line });
	const choice = await ownBackend(config.backend, processes);
	requireBackend(choice);
	const { base, start } = openTrainingBase(config, mode.allowOtherBase === true, note);
	try {
		return await trainOnBase({ config, folder, mode, signals, processes, note, choice, base, start });
	} finally {
		base.close();
	}
}

/** A run whose base is open. */
interface OpenedRun extends TrainingBase {
	readonly config: Config;
	readonly folder: RunFolder;
	readonly mode: RunMode;
	readonly signals: RunSignals;
	readonly processes: Processes;
	readonly note: (line: string) => void;
	/** The backend as this process is to choose it. */
	readonly choice: BackendChoice;
}

/** Reads the data and opens the backend on which the run then trains. */
async function trainOnBase(opened: OpenedRun): Promise<RunOutcome> {
	const { config, folder, mode, signals, processes, note, choice, base, start } = opened;
	const read = await prepareData(config, base, note);
	for (const line of leftOutLines(read.dataset.leftOut)) note(`left out ${line}`);
	// several processes stop together, between packs
	const stop = processes.size === 1 ? signals.interrupted : () => false;
	const stacked = stackOnNgram(config, read, { note, stop });
	if (stacked === undefined) return { status: 'interrupted', output: folder.root };
	const refitted = describeRefit(stacked.ngram?.description, start?.stack);
	if (refitted !== undefined) note(refitted);
	const { splits, scoring } = stacked.data;
	const packs = fullestPacks(splits, scoring, config.training.sequencesPerPass);
	const sizes = rehearsedRun(config, base.folder, scoring.pass, packs);
	const backend = await openSameBackend(processes, choice, note, (own) =>
		openTrainingBackend(config, mode.resume ? folder : undefined, own, sizes, processes, note),
	);
	try {
		return await trainOnBackend(opened, stacked, sizes, backend);
	} finally {
		backend.close();
	}
}

/** Loads what is trained. */
async function trainOnBackend(
	opened: OpenedRun,
	{ data: prepared, ngram }: StackedData,
	sizes: RehearsedRun,
	backend: Backend,
): Promise<RunOutcome> {
	const { config, base, start, note } = opened;
	const checkpointing = chooseCheckpointing(config.training.checkpointing, backend, sizes, note);
	const { scoring } = prepared;
	const data = { ...prepared, scoring: { ...scoring, pass: { ...scoring.pass, checkpointing } } };
	note(describeTrainingRows(data.splits.train, scoring.packing));
	const oneClass = oneClassValidationNote(data.splits.valid.rows);
	if (oneClass !== undefined) note(`${oneClass}; the best epoch is the one with the lowest loss`);
	const loaded = await blamingBase(base.folder, () =>
		createDetectorOf(config, backend, base.folder, start?.adapter),
	);
	const detector = withKeptStates(loaded, config, base, scoring.tokens);
	if (detector.lowerStates !== undefined) note(describeLowerStates(detector.lowerStates.block));
	try {
		return await trainTogether(opened, { data, ngram, detector });
	} finally {
		detector.free();
	}
}

/** Trains what is loaded, with all processes that compute the run; the first of them holds its folder. */
function trainTogether(
	{ config, folder, mode, signals, processes, note, base, start }: OpenedRun,
	loaded: Pick<LoadedRun, 'data' | 'ngram' | 'detector'>,
): Promise<RunOutcome> {
	const inputs = { datasetHash: loaded.data.dataset.hash, base: base.fingerprint, start: start?.hash };
	const identity = trainingIdentity(config, inputs);
	return computeTogether(processes, identity, loaded.detector.backend, note, async (communicator) => {
		const run = { ...loaded, config, folder, base, start, identity, communicator };
		return processes.rank === 0
			? await claimRunFolder(folder, mode, () => trainAndReport(run, mode, signals))
			: await trainAndFinish(run, mode, signals);
	});
}

/** What the run came to before; null where there is something to do. Throws what `refuseExistingRun` and `isFinishedRun` throw. */
async function endedBefore(folder: RunFolder, config: Config, mode: RunMode): Promise<RunOutcome | null> {
	refuseExistingRun(folder, mode);
	const { from } = config.method;
	const starts = from === null ? [] : [adapterFolder(from)];
	refuseOwnSources(folder, mode, [config.model, config.data.path, ...starts]);
	if (!mode.resume || !(await isFinished(folder, config))) return null;
	return claimRunFolder(folder, mode, async () => {
		// a run that was killed between its last line and its report gets it now
		if (!existsSync(folder.report)) await writeReport(folder.root);
		return { status: 'alreadyFinished', output: folder.root };
	});
}

async function trainAndReport(run: LoadedRun, mode: RunMode, signals: RunSignals): Promise<RunOutcome> {
	const { base, folder } = run;
	const outcome = await blamingBase(base.folder, () => trainAndFinish(run, mode, signals));
	const lacksReport = outcome.status === 'alreadyFinished' && !existsSync(folder.report);
	if (outcome.status === 'finished' || lacksReport) await writeReport(folder.root);
	return outcome;
}

// What only the end of a run or its resumption needs is loaded then: the first step waits for everything else.
async function writeReport(root: string): Promise<void> {
	await (await import('../report/write-report.ts')).writeReport(root);
}

async function isFinished(folder: RunFolder, config: Config): Promise<boolean> {
	return (await import('../training/earlier-run.ts')).isFinishedRun(folder, config);
}
