import type { Config } from '../config/schema.ts';
import { serveRun } from '../run/run-thread.ts';
import { type RunMode, type RunOutcome, runTraining, type TrainingEvent } from './run-training.ts';

/** What the training thread is started with. */
export interface TrainingInput {
	readonly config: Config;
	readonly mode: RunMode;
}

await serveRun<TrainingInput, TrainingEvent, RunOutcome>(({ config, mode }, signals) =>
	runTraining(config, mode, signals),
);
