import { kernelSignatures } from '../cpu/kernel-table.ts';
import { programError } from '../owned-buffers.ts';
import { instantiate, type WasmExports } from './instance.ts';
import { giveMemoryBack, takeMemory } from './memories.ts';
import type { StartWorker } from './serve.ts';
import { createWorkerStatus, endedWorkers, readWorkerFailure } from './worker-status.ts';

/** Bytes of a worker's stack: kernels keep some kilobytes there. */
const STACK_BYTES = 256 << 10;

type ExportedFunction = (...values: (number | boolean)[]) => number;

/** One engine: a memory with its heap, a pool of workers, and the kernels. */
export interface WasmEngine {
	readonly kernels: ReadonlyMap<string, ExportedFunction>;
	/** Calls a kernel; throws what went wrong in it or in a worker. */
	call(kernel: ExportedFunction, values: readonly (number | boolean)[]): number;
	allocate(bytes: number): number;
	release(address: number): void;
	/** The bytes at an address, in place. */
	bytes(address: number, length: number): Uint8Array;
	/** Ends the workers; the memory is there for another engine. */
	close(): void;
}

/**
 * An engine with `threads − 1` workers. It doesn't wait for them: kernels run on the threads that are there.
 *
 * Throws what the system throws where it refuses memory or a thread.
 */
export function createWasmEngine(
	module: WebAssembly.Module,
	threads: number,
	startWorker: StartWorker,
): WasmEngine {
	const memory = takeMemory();
	const exports = instantiate(module, memory);
	const engine = exports.createEngine(threads);
	const status = createWorkerStatus();
	// A trap leaves kernels half done and workers anywhere in them, so that nothing can follow.
	let broken: Error | undefined;
	const stack = exports.__stack_pointer.value;

	const guarded = <T>(run: () => T): T => {
		if (broken !== undefined) throw broken;
		let result: T;
		try {
			result = run();
		} catch (error) {
			// Leaving WebAssembly by an error doesn't give its stack back.
			exports.__stack_pointer.value = stack;
			if ((error as { code?: unknown }).code === 'RESOURCES') throw error;
			throw (broken = kernelError(String(error)));
		}
		const text = readWorkerFailure(status);
		if (text !== undefined) throw (broken = kernelError(text));
		return result;
	};

	try {
		for (let thread = 1; thread < threads; thread++) {
			const stackEnd = (exports.allocate(engine, STACK_BYTES) >>> 0) + STACK_BYTES;
			startWorker({ module, memory, engine, thread, stackEnd, status });
		}
	} catch (error) {
		exports.stop(engine);
		throw error;
	}
	return {
		kernels: kernelsOf(exports, memory),
		call: (kernel, values) => guarded(() => kernel(engine, ...values)),
		allocate: (bytes) => guarded(() => exports.allocate(engine, bytes) >>> 0),
		release(address) {
			if (guarded(() => exports.release(engine, address)) === 0) {
				throw programError('WASM_FREED', 'this memory was freed before');
			}
		},
		bytes: (address, length) => new Uint8Array(memory.buffer, address, length),
		close() {
			exports.stop(engine);
			if (broken === undefined) giveMemoryBack(memory, () => endedWorkers(status) === threads - 1);
		},
	};
}

function kernelError(text: string): Error {
	return programError('WASM_KERNEL', `a kernel of the wasm backend failed (${text})`);
}

/**
 * The kernels by name, from the list that the module keeps: pairs of a text's address and an index into its table. Throws
 * WASM_KERNEL_TABLE unless they are those of kernels.h.
 */
function kernelsOf(exports: WasmExports, memory: WebAssembly.Memory): Map<string, ExportedFunction> {
	const words = new Uint32Array(memory.buffer);
	const bytes = new Uint8Array(memory.buffer);
	const kernels = new Map<string, ExportedFunction>();
	for (let entry = exports.listKernels() / 4; words[entry] !== 0; entry += 2) {
		const start = words[entry]!;
		const name = String.fromCharCode(...bytes.slice(start, bytes.indexOf(0, start)));
		kernels.set(name, exports.__indirect_function_table.get(words[entry + 1]!));
	}
	for (const [name, signature] of Object.entries(kernelSignatures)) {
		// a function of WebAssembly knows how many numbers it takes; the engine is the first
		if (kernels.get(name)?.length === 1 + signature.length) continue;
		throw programError(
			'WASM_KERNEL_TABLE',
			`the module's ${name} doesn't take the arguments that it is given`,
		);
	}
	return kernels;
}
