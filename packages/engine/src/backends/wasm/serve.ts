import { instantiate } from './instance.ts';
import { reportWorkerEnd, reportWorkerFailure } from './worker-status.ts';

/** What a worker of the pool is given. */
export interface WorkerInput {
	readonly module: WebAssembly.Module;
	readonly memory: WebAssembly.Memory;
	/** Address of the engine. */
	readonly engine: number;
	/** 1 … threads − 1. */
	readonly thread: number;
	/** Address after the worker's own stack. */
	readonly stackEnd: number;
	/** See worker-status.ts. */
	readonly status: SharedArrayBuffer;
}

/** Starts a worker that calls `serve` with the input. */
export type StartWorker = (input: WorkerInput) => void;

/** What a worker does: it takes part in the engine's kernels until the engine ends. */
export function serve({ module, memory, engine, thread, stackEnd, status }: WorkerInput): void {
	try {
		const exports = instantiate(module, memory);
		exports.__stack_pointer.value = stackEnd;
		try {
			exports.serve(engine, thread);
		} catch (error) {
			reportWorkerFailure(status, error);
			exports.__stack_pointer.value = stackEnd;
			exports.leave(engine);
		}
	} catch (error) {
		reportWorkerFailure(status, error);
	} finally {
		reportWorkerEnd(status);
	}
}
