import { existsSync } from 'node:fs';
import { createBackend } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import type { Detector } from '../methods/detector.ts';
import { type DetectorDescription, restoreDetector, saveDetector } from '../methods/saved-detector.ts';
import { claimRunFolder, type RunFolder, refuseExistingRun, runFolder } from '../run/run-folder.ts';
import { writeRunHeader } from '../run/run-header.ts';
import type { Signals } from '../run/run-thread.ts';
import type { RunSummary } from './finish-run.ts';
import { createOptimizer } from './optimizer.ts';
import { savePredictions } from './predictions.ts';
import { openRunProgress, type RunProgress, resumeState } from './run-progress.ts';
import { warmupNote } from './schedule.ts';
import { scoreSplit } from './score-split.ts';
import { createDetectorOf, fingerprintOf, methodOf, type PreparedData, prepareData } from './session.ts';
import { initialState, type TrainingState } from './state.ts';
import { createStopwatch } from './stopwatch.ts';
import { countSteps, type TrainingRecord, type TrainingSettings, train } from './train-loop.ts';
import { describeTrainingRows, oneClassValidationNote, trainingFunctions } from './training-rows.ts';

/** What a run tells the process that shows it. Plain data: it crosses threads. */
export type TrainingEvent =
	| { readonly type: 'note'; readonly line: string }
	| {
			readonly type: 'training';
			readonly epoch: number;
			readonly epochs: number;
			readonly pack: number;
			readonly packs: number;
			readonly step: number;
			readonly steps: number;
			/** While training; validation is not in it. */
			readonly tokensPerSecond: number;
			/** Of the whole run, validations included; NaN as long as nothing was measured. */
			readonly secondsLeft: number;
			readonly residentBytes: number;
			readonly loss: number | null;
	  }
	| { readonly type: 'scoring'; readonly split: string; readonly done: number; readonly total: number }
	| { readonly type: 'record'; readonly record: TrainingRecord };

export interface RunMode {
	readonly resume: boolean;
	readonly overwrite: boolean;
}

export type RunOutcome =
	| { readonly status: 'finished'; readonly summary: RunSummary }
	| { readonly status: 'alreadyFinished'; readonly output: string }
	| { readonly status: 'interrupted'; readonly output: string };

export type RunSignals = Signals<TrainingEvent>;

/**
 * A whole run: from a config to a run folder with adapter, metrics, predictions and report; or on from its newest
 * checkpoint. Equal configs give equal bytes in metrics, adapter and predictions.
 */
export async function runTraining(config: Config, mode: RunMode, signals: RunSignals): Promise<RunOutcome> {
	const folder = runFolder(config.output);
	refuseExistingRun(folder, mode);
	if (mode.resume && (await isFinished(folder, config))) {
		claimRunFolder(folder, mode);
		// a run that was killed between its last line and its report gets it now
		if (!existsSync(folder.report)) await writeReport(folder.root);
		return { status: 'alreadyFinished', output: folder.root };
	}
	const data = await prepareData(config);
	const note = (line: string) => signals.emit({ type: 'note', line });
	const backend = createBackend(config.backend, note);
	try {
		note(describeTrainingRows(data.splits.train, data.scoring.packing));
		const oneClass = oneClassValidationNote(data.splits.valid.rows);
		if (oneClass !== undefined) note(oneClass);
		const fingerprint = fingerprintOf(config, data);
		const detector = createDetectorOf(config, backend, data.folder);
		try {
			claimRunFolder(folder, mode);
			const outcome = await trainAndFinish(config, folder, data, detector, fingerprint, mode, signals);
			const lacksReport = outcome.status === 'alreadyFinished' && !existsSync(folder.report);
			if (outcome.status === 'finished' || lacksReport) await writeReport(folder.root);
			return outcome;
		} finally {
			detector.free();
		}
	} finally {
		backend.close();
		data.folder.close();
	}
}

// What only the end of a run or its resumption needs is loaded then: the first step waits for everything else.
async function writeReport(root: string): Promise<void> {
	await (await import('../report/write-report.ts')).writeReport(root);
}

async function isFinished(folder: RunFolder, config: Config): Promise<boolean> {
	return (await import('./earlier-run.ts')).isFinishedRun(folder, config);
}

async function trainAndFinish(
	config: Config,
	folder: RunFolder,
	data: PreparedData,
	detector: Detector,
	fingerprint: string,
	mode: RunMode,
	signals: RunSignals,
): Promise<RunOutcome> {
	const { backend } = detector;
	const settings = settingsOf(config);
	const optimizer = createOptimizer(backend, detector.parameters, settings.optimizer);
	const warn = (line: string) => signals.emit({ type: 'note', line });
	try {
		const target = { backend, parameters: detector.parameters, optimizer, fingerprint };
		const resumed = mode.resume ? resumeState<TrainingState>(folder, target, warn) : undefined;
		if (mode.resume && resumed === undefined) warn(`no checkpoint in ${folder.root}: the run starts anew`);
		const state = resumed ?? initialState();
		if (state.finished) return { status: 'alreadyFinished', output: folder.root };
		const totalSteps = countSteps(data.splits.train, settings, data.scoring);
		const shortened = warmupNote({ ...settings.schedule, totalSteps });
		if (shortened !== undefined) warn(shortened);
		writeRunHeader(folder, config, {
			backend: `${backend.name} (${backend.description})`,
			datasetHash: data.dataset.hash,
			tokenizerHash: data.tokenizer.hash,
			fingerprint,
			synthetic: data.dataset.splits.test.some((row) => row.synthetic === true),
		});
		const progress = openRunProgress(folder, state, target);
		try {
			const outcome = trainWithEvents(config, folder, data, detector, state, progress, signals, optimizer);
			if (outcome === 'interrupted') return { status: 'interrupted', output: folder.root };
			restoreDetector(folder.adapter, detector, config.method.type as 'qlora');
			const scores = scoreTest(data, detector, signals);
			if (scores === undefined) return { status: 'interrupted', output: folder.root };
			const training = trainingFunctions(data.splits.train, data.scoring.packing);
			const results = { rows: data.dataset.splits, test: scores, best: state.best, training };
			const { summarizeRun } = await import('./finish-run.ts');
			const summary = summarizeRun(config, folder, results, signals);
			if (summary === undefined) return { status: 'interrupted', output: folder.root };
			progress.metrics.append(summary.record);
			state.finished = true;
			progress.save();
			return { status: 'finished', summary };
		} finally {
			progress.close();
		}
	} finally {
		optimizer.free();
	}
}

function trainWithEvents(
	config: Config,
	folder: RunFolder,
	data: PreparedData,
	detector: Detector,
	state: TrainingState,
	logs: RunProgress,
	signals: RunSignals,
	optimizer: ReturnType<typeof createOptimizer>,
): 'finished' | 'interrupted' {
	const settings = settingsOf(config);
	const steps = countSteps(data.splits.train, settings, data.scoring);
	const stopwatch = createStopwatch();
	let loss: number | null = null;
	// this thread's clock starts with the process
	const seconds = performance.now() / 1000;
	logs.timings.append({ type: 'start', seconds, residentBytes: process.memoryUsage.rss() });
	return train(detector, optimizer, data.splits, settings, data.scoring, state, {
		progress({ epoch, pack, packs, tokens }) {
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
				residentBytes: process.memoryUsage.rss(),
				loss,
			});
		},
		record(record) {
			logs.metrics.append(record);
			logs.timings.append(stopwatch.lap(record, process.memoryUsage.rss()));
			if (record.type === 'step') loss = record.loss;
			signals.emit({ type: 'record', record });
		},
		validating: (done, total) => signals.emit({ type: 'scoring', split: 'valid', done, total }),
		bestEpoch(best, probabilities) {
			saveDetector(folder.adapter, detector, methodOf(config), describeDetector(config, data, best));
			savePredictions(folder.predictions('valid'), data.splits.valid.rows, probabilities, best.threshold);
		},
		checkpoint: logs.save,
		interrupted: signals.interrupted,
	});
}

/** Scores the test split with what the detector holds; undefined if interrupted. */
function scoreTest(data: PreparedData, detector: Detector, signals: RunSignals) {
	return scoreSplit(detector, data.splits.test, {
		...data.scoring,
		progress: (done, total) => signals.emit({ type: 'scoring', split: 'test', done, total }),
		stop: signals.interrupted,
	});
}

export function settingsOf(config: Config): TrainingSettings {
	const { epochs, accumulation, schedule, learningRate, warmupSteps, weightDecay, clipNorm } =
		config.training;
	const { seed, earlyStopping, checkpointEverySteps } = config.training;
	return {
		epochs,
		accumulation,
		schedule: { schedule, learningRate, warmupSteps },
		optimizer: { weightDecay, clipNorm },
		reduction: config.loss.reduction,
		seed,
		earlyStopping,
		checkpointEverySteps,
	};
}

function describeDetector(
	config: Config,
	data: PreparedData,
	best: { readonly epoch: number; readonly threshold: number | null },
): DetectorDescription {
	return {
		format: 1,
		model: config.model,
		method: methodOf(config).type,
		base: config.method.base,
		doubleQuantization: config.method.doubleQuantization,
		objective: config.objective,
		nextToken: config.nextToken,
		head: config.head,
		collapseWhitespace: config.data.collapseWhitespace,
		sequence: { ...data.scoring.packing, windowCombination: config.sequence.windowCombination },
		precision: data.scoring.pass.precision,
		threshold: best.threshold,
		epoch: best.epoch,
		seed: config.training.seed,
	};
}
