import type { NativeAddon, NativeKernel } from '../cpu/native.ts';
import { createWasmEngine, type WasmEngine } from './engine.ts';
import type { StartWorker } from './serve.ts';

/** The instruction set that the module is made of: 128-bit vectors with fused products. */
export const WASM_INSTRUCTION_SET = 'relaxed-simd';

/**
 * The kernels in WebAssembly behind the interface of the native addon. What starts a worker is given from outside,
 * because Node and browsers do it differently.
 */
export function createWasmAddon(module: WebAssembly.Module, startWorker: StartWorker): NativeAddon {
	const engines = new Map<number, WasmEngine>();
	const kernels: Record<string, NativeKernel> = {};
	let lastHandle = 0;

	const engineOf = (handle: number): WasmEngine => {
		const engine = engines.get(handle);
		if (engine === undefined) throw new Error(`there is no engine ${handle}`);
		return engine;
	};

	return {
		instructionSets: () => [{ name: WASM_INSTRUCTION_SET, supported: true, automatic: true }],
		createEngine(_, threads) {
			const engine = createWasmEngine(module, threads, startWorker);
			engines.set(++lastHandle, engine);
			// Their names are known from the first instance on; each engine has functions of its own.
			for (const name of engine.kernels.keys()) {
				kernels[name] ??= (handle, ...values) => {
					const { call, kernels } = engineOf(handle);
					return call(kernels.get(name)!, values);
				};
			}
			return lastHandle;
		},
		destroyEngine(handle) {
			engines.get(handle)?.close();
			engines.delete(handle);
		},
		allocate: (handle, bytes) => engineOf(handle).allocate(bytes),
		release: (handle, address) => engineOf(handle).release(address),
		upload(handle, address, source) {
			engineOf(handle).bytes(address, source.length).set(source);
		},
		download(handle, target, address) {
			target.set(engineOf(handle).bytes(address, target.length));
		},
		kernels,
	};
}
