import { runInProcesses } from '../communication/open-channel.ts';
import type { ClaimMode } from '../run/run-folder.ts';
import { serveRun } from '../run/run-thread.ts';
import type { PretrainConfig } from './config-schema.ts';
import { type PretrainEvent, type PretrainOutcome, runPretraining } from './run-pretraining.ts';

/** What the pretraining thread is started with. */
export interface PretrainInput {
	readonly config: PretrainConfig;
	readonly mode: ClaimMode;
}

await serveRun<PretrainInput, PretrainEvent, PretrainOutcome>(({ config, mode }, signals) =>
	runInProcesses((processes) => runPretraining(config, mode, signals, processes)),
);
