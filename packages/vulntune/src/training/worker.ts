import { parentPort, workerData } from 'node:worker_threads';
import { VulntuneError } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { type RunMode, type RunOutcome, runTraining, type TrainingEvent } from './run-training.ts';

/** What the training thread is started with. */
export interface TrainingWorkerData {
	readonly config: Config;
	readonly mode: RunMode;
	/** Int32 [1], shared: not 0 once the run should save and stop. Training never yields to messages. */
	readonly interruption: SharedArrayBuffer;
}

export type TrainingWorkerMessage =
	| TrainingEvent
	| { readonly type: 'outcome'; readonly outcome: RunOutcome }
	| { readonly type: 'error'; readonly error: SerializedError };

/** An error as it crosses the threads. */
export interface SerializedError {
	readonly details: ConstructorParameters<typeof VulntuneError>[0] | undefined;
	readonly message: string;
	readonly stack: string | undefined;
}

const { config, mode, interruption } = workerData as TrainingWorkerData;
const flag = new Int32Array(interruption);
const send = (message: TrainingWorkerMessage) => parentPort?.postMessage(message);

try {
	const outcome = await runTraining(config, mode, {
		emit: send,
		interrupted: () => Atomics.load(flag, 0) !== 0,
	});
	send({ type: 'outcome', outcome });
} catch (error) {
	send({ type: 'error', error: serialize(error) });
}

function serialize(error: unknown): SerializedError {
	if (!(error instanceof Error)) return { details: undefined, message: String(error), stack: undefined };
	const { message, stack } = error;
	if (!(error instanceof VulntuneError)) return { details: undefined, message, stack };
	const { code, kind, place, remedy, summary } = error;
	const details = {
		code,
		kind,
		message: summary,
		...(place === undefined ? {} : { place }),
		...(remedy === undefined ? {} : { remedy }),
	};
	return { details, message, stack };
}
