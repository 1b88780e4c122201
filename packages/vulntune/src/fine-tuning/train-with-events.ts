import { STACK_FILE } from '../methods/description.ts';
import { saveDetector } from '../methods/saved-detector.ts';
import type { TrainingRecord } from '../run/records.ts';
import { methodOf } from '../scoring/configured-detector.ts';
import type { Optimizer } from '../training/optimizer.ts';
import type { RunProgress } from '../training/run-progress.ts';
import type { BestEpoch, TrainingState } from '../training/state.ts';
import { createStopwatch, memoryFacts } from '../training/stopwatch.ts';
import type { PackProgress } from '../training/task.ts';
import { train } from '../training/trainer.ts';
import type { LoadedRun } from './begin-run.ts';
import { describeDetector, settingsOf } from './describe-run.ts';
import { countSteps, fineTuningTask } from './fine-tuning-task.ts';
import { savePredictions } from './predictions.ts';
import type { RunSignals } from './run-events.ts';

/** Runs the training loop from a state, and tells logs, run folder and whoever shows the run what happens in it. */
export function trainWithEvents(
	run: LoadedRun,
	state: TrainingState,
	logs: RunProgress,
	signals: RunSignals,
	optimizer: Optimizer,
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
