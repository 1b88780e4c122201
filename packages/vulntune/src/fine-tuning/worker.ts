import type { Config } from '../config/schema.ts';
import { serveRun } from '../run/run-thread.ts';
import { type RunMode, type RunOutcome, runTraining, type TrainingEvent } from './run-training.ts';

/** What the training thread is started with. */
export interface TrainingInput {
	readonly config: Config;
	readonly mode: RunMode;
}

await serveRun<TrainingInput, TrainingEvent, RunOutcome>(async ({ config, mode }, signals) => {
	if (config.method.type !== 'ngram') return runTraining(config, mode, signals);
	const { runNgram } = await import('./run-ngram.ts');
	return runNgram(config, mode, signals);
});
