import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '@vulntune/engine';
import { restoreStack } from '../baselines/ngram/stack-file.ts';
import type { VectorCommunicator } from '../communication/communicator.ts';
import type { Config } from '../config/schema.ts';
import { DESCRIPTION } from '../methods/description.ts';
import type { Detector } from '../methods/detector.ts';
import { peftLimit } from '../methods/peft-limit.ts';
import { restoreDetector } from '../methods/saved-detector.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { headOf } from '../scoring/configured-detector.ts';
import type { PreparedData } from '../scoring/prepare-data.ts';
import { scoreSplit } from '../scoring/score-split.ts';
import { createOptimizer } from '../training/optimizer.ts';
import {
	beginTogether,
	followedProgress,
	openRunProgress,
	type RunProgress,
} from '../training/run-progress.ts';
import type { TrainingState } from '../training/state.ts';
import { memoryFacts } from '../training/stopwatch.ts';
import { beginRun, type LoadedRun } from './begin-run.ts';
import { settingsOf } from './describe-run.ts';
import { describeExtension, extensionRecord } from './extend-run.ts';
import type { RunMode, RunOutcome, RunSignals } from './run-events.ts';
import { trainWithEvents } from './train-with-events.ts';
import { trainingFunctions } from './training-rows.ts';

/** Trains from where the run stands in its folder, scores the test split with the best epoch and writes what the run ends with. */
export async function trainAndFinish(
	run: LoadedRun,
	mode: RunMode,
	signals: RunSignals,
): Promise<RunOutcome> {
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
