/** What the wasm backend needs of Node: the module's file and worker threads. A browser would fetch and start them. */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { NativeLoad } from '../cpu/native.ts';
import { createWasmAddon } from './addon.ts';
import type { StartWorker } from './serve.ts';
import { reportWorkerFailure } from './worker-status.ts';

const modulePath = new URL('../../../wasm/kernels.wasm', import.meta.url);

let loaded: NativeLoad | undefined;

/** Reads and compiles the module; says why if it can't. The second call returns what the first found. */
export function loadWasm(): NativeLoad {
	loaded ??= load();
	return loaded;
}

function load(): NativeLoad {
	try {
		const module = new WebAssembly.Module(readFileSync(modulePath));
		return { addon: createWasmAddon(module, startNodeWorker) };
	} catch (error) {
		return {
			addon: undefined,
			reason: 'the WebAssembly kernels could not be loaded',
			details: error instanceof Error ? error.message : String(error),
		};
	}
}

/** Starts a thread that doesn't keep the process alive. */
const startNodeWorker: StartWorker = (input) => {
	const worker = new Worker(new URL('./node-worker.ts', import.meta.url), {
		workerData: input,
		execArgv: [],
	});
	worker.on('error', (error) => reportWorkerFailure(input.status, error));
	worker.unref();
};
