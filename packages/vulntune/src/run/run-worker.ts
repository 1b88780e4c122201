import { enableCompileCache } from 'node:module';
import { workerData } from 'node:worker_threads';

/** What the thread of a run is started with, besides what the run's own script reads. */
export interface RunWorkerData {
	/** URL of the module that calls `serveRun`. */
	readonly script: string;
	/** Whether the process keeps compiled sources between runs: a thread must ask for that itself. */
	readonly keepsCompiled: boolean;
}

const { script, keepsCompiled } = workerData as RunWorkerData;
if (keepsCompiled) enableCompileCache();
await import(script);
