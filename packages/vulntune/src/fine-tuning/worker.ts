import { runInProcesses } from '../communication/open-channel.ts';
import type { Config } from '../config/schema.ts';
import { serveRun } from '../run/run-thread.ts';
import type { RunMode, RunOutcome, TrainingEvent } from './run-events.ts';
import { runMethod } from './run-method.ts';

/** What the training thread is started with. */
export interface TrainingInput {
	readonly config: Config;
	readonly mode: RunMode;
}

await serveRun<TrainingInput, TrainingEvent, RunOutcome>(({ config, mode }, signals) =>
	runInProcesses((processes) => runMethod(config, mode, signals, processes)),
);
