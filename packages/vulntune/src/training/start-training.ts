import { Worker } from 'node:worker_threads';
import { VulntuneError } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import type { RunMode, RunOutcome, TrainingEvent } from './run-training.ts';
import type { SerializedError, TrainingWorkerData, TrainingWorkerMessage } from './worker.ts';

/**
 * Runs a training on a thread of its own, so that progress and signals stay live while kernels run.
 *
 * @param interruption aborted: the run saves a checkpoint after the current pack and ends
 */
export function startTraining(
	config: Config,
	mode: RunMode,
	onEvent: (event: TrainingEvent) => void,
	interruption?: AbortSignal,
): Promise<RunOutcome> {
	const shared = new SharedArrayBuffer(4);
	const flag = new Int32Array(shared);
	const interrupt = () => Atomics.store(flag, 0, 1);
	if (interruption?.aborted === true) interrupt();
	interruption?.addEventListener('abort', interrupt);
	const workerData: TrainingWorkerData = { config, mode, interruption: shared };
	const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
	return new Promise<RunOutcome>((resolve, reject) => {
		worker.on('message', (message: TrainingWorkerMessage) => {
			if (message.type === 'outcome') resolve(message.outcome);
			else if (message.type === 'error') reject(deserialize(message.error));
			else onEvent(message);
		});
		worker.on('error', reject);
		worker.on('exit', (code) => reject(new Error(`the training thread ended early with code ${code}`)));
	}).finally(() => interruption?.removeEventListener('abort', interrupt));
}

function deserialize(error: SerializedError): Error {
	if (error.details !== undefined) return new VulntuneError(error.details);
	const copy = new Error(error.message);
	if (error.stack !== undefined) copy.stack = error.stack;
	return copy;
}
