import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Backend, type BackendChoice, inputError, requireBackend } from '@vulntune/engine';
import { restoreStack } from '../baselines/ngram/stack-file.ts';
import { alone, type Processes, type VectorCommunicator } from '../communication/communicator.ts';
import { fromFirst } from '../communication/from-first.ts';
import { openSameBackend, ownBackend } from '../communication/own-backend.ts';
import type { Config } from '../config/schema.ts';
import { leftOutLines } from '../data/summary.ts';
import { adapterFolder } from '../methods/adapter-folder.ts';
import { DESCRIPTION, STACK_FILE } from '../methods/description.ts';
import type { Detector } from '../methods/detector.ts';
import { peftLimit } from '../methods/peft-limit.ts';
import { restoreDetector, saveDetector } from '../methods/saved-detector.ts';
import { blamingBase } from '../model/damaged-base.ts';
import { trainingIdentity } from '../run/identity.ts';
import type { TrainingRecord } from '../run/records.ts';
import { openRunBackend, recordedChoice } from '../run/run-backend.ts';
import {
	claimRunFolder,
	type RunFolder,
	refuseExistingRun,
	refuseOwnSources,
	runFolder,
} from '../run/run-folder.ts';
import { createDetectorOf, headOf, methodOf } from '../scoring/configured-detector.ts';
import { describeLowerStates, withKeptStates } from '../scoring/frozen-states.ts';
import { type PreparedData, prepareData } from '../scoring/prepare-data.ts';
import { scoreSplit } from '../scoring/score-split.ts';
import { chooseCardFor } from '../training/choose-card.ts';
import { chooseCheckpointing } from '../training/choose-checkpointing.ts';
import { createOptimizer } from '../training/optimizer.ts';
import type { RehearsedRun } from '../training/rehearse.ts';
import { fullestPacks, rehearsedRun } from '../training/rehearsed-run.ts';
import {
	beginTogether,
	followedProgress,
	openRunProgress,
	type RunProgress,
} from '../training/run-progress.ts';
import { requireSameRun } from '../training/same-run.ts';
import type { BestEpoch, TrainingState } from '../training/state.ts';
import { createStopwatch, memoryFacts } from '../training/stopwatch.ts';
import type { PackProgress } from '../training/task.ts';
import { train } from '../training/trainer.ts';
import { beginRun, type LoadedRun } from './begin-run.ts';
import { describeDetector, settingsOf } from './describe-run.ts';
import { describeExtension, extensionRecord } from './extend-run.ts';
import { countSteps, fineTuningTask } from './fine-tuning-task.ts';
import { savePredictions } from './predictions.ts';
import type { RunMode, RunOutcome, RunSignals } from './run-events.ts';
import { describeRefit, stackOnNgram } from './stack-ngram.ts';
import { openTrainingBase } from './start-adapter.ts';
import { describeTrainingRows, oneClassValidationNote, trainingFunctions } from './training-rows.ts';

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
		const read = await prepareData(config, base, note);
		for (const line of leftOutLines(read.dataset.leftOut)) note(`left out ${line}`);
		// several processes stop together, between packs
		const stop = processes.size === 1 ? signals.interrupted : () => false;
		const stacked = stackOnNgram(config, read, { note, stop });
		if (stacked === undefined) return { status: 'interrupted', output: folder.root };
		const { data: prepared, ngram } = stacked;
		const refitted = describeRefit(ngram?.description, start?.stack);
		if (refitted !== undefined) note(refitted);
		const { splits, scoring } = prepared;
		const sizes = rehearsedRun(
			config,
			base.folder,
			scoring.pass,
			fullestPacks(splits, scoring, config.training.sequencesPerPass),
		);
		const backend = await openSameBackend(processes, choice, note, (own) =>
			openTrainingBackend(config, mode.resume ? folder : undefined, own, sizes, processes, note),
		);
		try {
			const checkpointing = chooseCheckpointing(config.training.checkpointing, backend, sizes, note);
			const data = { ...prepared, scoring: { ...scoring, pass: { ...scoring.pass, checkpointing } } };
			note(describeTrainingRows(data.splits.train, data.scoring.packing));
			const oneClass = oneClassValidationNote(data.splits.valid.rows);
			if (oneClass !== undefined) note(`${oneClass}; the best epoch is the one with the lowest loss`);
			const loaded = await blamingBase(base.folder, () =>
				createDetectorOf(config, backend, base.folder, start?.adapter),
			);
			const detector = withKeptStates(loaded, config, base, data.scoring.tokens);
			if (detector.lowerStates !== undefined) note(describeLowerStates(detector.lowerStates.block));
			try {
				const inputs = { datasetHash: data.dataset.hash, base: base.fingerprint, start: start?.hash };
				const identity = trainingIdentity(config, inputs);
				await requireSameRun(processes, identity, backend);
				const communicator = await processes.withVectors(backend);
				try {
					const { size, description } = communicator;
					if (size > 1) note(`${size} processes share the run out, by ${description}`);
					const run = { config, folder, base, data, ngram, detector, start, identity, communicator };
					return processes.rank === 0
						? await claimRunFolder(folder, mode, () => trainAndReport(run, mode, signals))
						: await trainAndFinish(run, mode, signals);
				} finally {
					communicator.close();
				}
			} finally {
				detector.free();
			}
		} finally {
			backend.close();
		}
	} finally {
		base.close();
	}
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

/**
 * The backend of a training: on a card where the config leaves it open, no earlier run decided it and the run fits there. Several
 * processes compute on cards only where they are asked to.
 */
function openTrainingBackend(
	config: Config,
	earlier: RunFolder | undefined,
	choice: BackendChoice,
	sizes: RehearsedRun,
	{ size }: Processes,
	note: (line: string) => void,
): Backend {
	const isOpen = size === 1 && choice.type === 'auto' && recordedChoice(earlier, choice).type === undefined;
	const { card, line } = isOpen ? chooseCardFor(config, sizes) : {};
	if (line !== undefined) note(line);
	return openRunBackend(earlier, card === undefined ? choice : { ...choice, type: 'cuda' }, note);
}

// What only the end of a run or its resumption needs is loaded then: the first step waits for everything else.
async function writeReport(root: string): Promise<void> {
	await (await import('../report/write-report.ts')).writeReport(root);
}

async function isFinished(folder: RunFolder, config: Config): Promise<boolean> {
	return (await import('../training/earlier-run.ts')).isFinishedRun(folder, config);
}

async function trainAndFinish(run: LoadedRun, mode: RunMode, signals: RunSignals): Promise<RunOutcome> {
	const { config, folder, data, detector, identity, communicator } = run;
	const { backend } = detector;
	const settings = settingsOf(config);
	const optimizer = createOptimizer(backend, detector.parameters, settings.optimizer);
	try {
		const target = { backend, parameters: detector.parameters, optimizer, identity };
		const begin = () => beginRun(run, mode, target, signals);
		const state = await beginTogether(target, communicator, begin);
		if (state.finished) return { status: 'alreadyFinished', output: folder.root };
		const isFirst = communicator.rank === 0;
		const progress = isFirst ? openRunProgress(folder, state, target) : followedProgress;
		try {
			logExtension(state, config, progress, signals);
			// this thread's clock starts with the process
			const seconds = (performance.now() - (mode.began ?? 0)) / 1000;
			progress.timings.append({ type: 'start', seconds, ...memoryFacts(backend) });
			const outcome = await trainWithEvents(run, state, progress, signals, optimizer);
			if (outcome === 'interrupted') return { status: 'interrupted', output: folder.root };
			// the best epoch is scored, but what the run would go on with is the last
			const last = Float32Array.from(backend.download(detector.parameters.values));
			if (isFirst) {
				requireBestEpoch(folder);
				if (run.ngram !== undefined) restoreStack(folder.adapter, run.ngram.text);
				restoreDetector(folder.adapter, detector, config.method.type as 'qlora');
			}
			await communicator.gather('restored');
			await communicator.broadcast(detector.parameters.values);
			const scores = await scoreTest(data, detector, signals, communicator);
			if (scores === undefined) return { status: 'interrupted', output: folder.root };
			if (!isFirst) return { status: 'followed' };
			const training = trainingFunctions(data.splits.train, data.scoring.packing);
			const { splits } = data.dataset;
			const results = {
				...{ rows: splits, test: scores, best: state.best, training },
				ngram: run.ngram?.selection,
			};
			const { summarizeRun } = await import('./finish-run.ts');
			const summary = summarizeRun(config, folder, results, signals);
			if (summary === undefined) return { status: 'interrupted', output: folder.root };
			progress.metrics.append(summary.record);
			state.finished = true;
			backend.upload(detector.parameters.values, last);
			progress.save();
			warnOfPeft(config, signals);
			return { status: 'finished', summary };
		} finally {
			progress.close();
		}
	} finally {
		optimizer.free();
	}
}

/** What an adapter folder says in its README.md too. */
function warnOfPeft(config: Config, signals: RunSignals): void {
	const { type } = config.method;
	const isAdapter = type === 'lora' || type === 'qlora';
	const limit = isAdapter ? peftLimit({ ...config.method, head: headOf(config) }) : undefined;
	if (limit !== undefined) signals.emit({ type: 'note', line: `warning: ${limit}` });
}

function logExtension(
	state: TrainingState,
	config: Config,
	{ metrics }: RunProgress,
	signals: RunSignals,
): void {
	const record = extensionRecord(state, config);
	if (record === undefined) return;
	metrics.append(record);
	state.extension!.isLogged = true;
	signals.emit({ type: 'note', line: describeExtension(record) });
}

function trainWithEvents(
	run: LoadedRun,
	state: TrainingState,
	logs: RunProgress,
	signals: RunSignals,
	optimizer: ReturnType<typeof createOptimizer>,
): Promise<'finished' | 'interrupted'> {
	const { config, folder, data, detector, communicator } = run;
	const settings = settingsOf(config);
	const { firstEpoch = 1, stepsBefore = 0 } = state.extension ?? {};
	const totalSteps = countSteps(data.splits.train, settings, data.scoring, firstEpoch);
	const steps = stepsBefore + totalSteps;
	const stopwatch = createStopwatch(undefined, detector.backend.waitedSeconds);
	let loss: number | null = null;
	let memory = memoryFacts(detector.backend);
	const listener = {
		progress({ epoch, pack, packs, tokens }: PackProgress) {
			stopwatch.count(tokens);
			signals.emit({
				type: 'training',
				epoch,
				epochs: settings.epochs,
				pack,
				packs,
				step: state.step,
				steps,
				tokensPerSecond: stopwatch.tokensPerSecond(),
				secondsLeft: stopwatch.secondsLeft((epoch - 1 + pack / packs) / settings.epochs),
				...memory,
				residentBytes: process.memoryUsage.rss(),
				loss,
			});
		},
		record(record: TrainingRecord) {
			logs.metrics.append(record);
			memory = memoryFacts(detector.backend);
			logs.timings.append(stopwatch.lap(record, memory));
			if (record.type === 'step') loss = record.loss;
			signals.emit({ type: 'record', record });
		},
		validating: (done: number, total: number) =>
			signals.emit({ type: 'scoring', split: 'valid', done, total }),
		bestEpoch(best: BestEpoch, probabilities: Float64Array) {
			if (communicator.rank > 0) return;
			saveDetector(
				folder.adapter,
				detector,
				methodOf(config),
				describeDetector({ ...run, stack: run.ngram?.description }, state, best, probabilities),
				run.ngram === undefined ? {} : { [STACK_FILE]: run.ngram.text },
			);
			savePredictions(folder.predictions('valid'), data.splits.valid.rows, probabilities, best.threshold);
		},
		checkpoint: logs.save,
		interrupted: signals.interrupted,
	};
	const task = fineTuningTask(detector, data.splits, settings, data.scoring, listener, communicator);
	const schedule = { ...settings.schedule, totalSteps };
	return train(task, optimizer, { ...settings, schedule, stepsBefore }, state, listener, communicator);
}

/** Throws RUN_FILE where what the best epoch wrote was lost since: a run that is finished without it could not be scored. */
function requireBestEpoch({ adapter, predictions }: RunFolder): void {
	const lost = [path.join(adapter, DESCRIPTION), predictions('valid')].find((file) => !existsSync(file));
	if (lost === undefined) return;
	throw inputError('RUN_FILE', 'what the best epoch wrote is not there any more', {
		place: lost,
		remedy: 'Put the file back, or train again with --overwrite: that epoch alone could write it.',
	});
}

/** Scores the test split with what the detector holds; undefined if interrupted. */
function scoreTest(
	data: PreparedData,
	detector: Detector,
	signals: RunSignals,
	communicator: VectorCommunicator,
) {
	const options = {
		...data.scoring,
		progress: (done: number, total: number) => signals.emit({ type: 'scoring', split: 'test', done, total }),
		stop: signals.interrupted,
	};
	return scoreSplit(detector, data.splits.test, options, communicator);
}
