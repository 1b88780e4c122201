import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { RunWorkerData } from './run-worker.ts';

let prepared: { readonly script: string; readonly worker: Worker } | undefined;

/**
 * Lets a run's thread load its modules while this one still reads the command line and the config. A process that then
 * needs no run just ends, or drops it where it goes on for long.
 */
export function prepareThread(script: URL): void {
	const worker = startThread(script);
	worker.unref();
	prepared = { script: script.href, worker };
}

/** Ends a prepared thread that the process has no use for. Returns its exit code, undefined where none was prepared. */
export function dropPreparedThread(): Promise<number | undefined> {
	const ended = prepared?.worker.terminate();
	prepared = undefined;
	return Promise.resolve(ended);
}

/** A thread that runs the script: the one that was prepared, or a new one. */
export function takeThread(script: URL): Worker {
	if (prepared?.script !== script.href) return startThread(script);
	const { worker } = prepared;
	prepared = undefined;
	worker.ref();
	return worker;
}

function startThread(script: URL): Worker {
	const keepsCompiled = getCompileCacheDir() !== undefined;
	const workerData: RunWorkerData = { script: script.href, keepsCompiled };
	return new Worker(new URL('./run-worker.ts', import.meta.url), { workerData });
}
