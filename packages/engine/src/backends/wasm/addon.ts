import type { Address, EngineHandle } from '../cpu/handles.ts';
import { type Kernels, kernelSignatures } from '../cpu/kernel-table.ts';
import type { NativeAddon } from '../cpu/native.ts';
import { createWasmEngine, type WasmEngine } from './engine.ts';
import type { StartWorker } from './serve.ts';

/** The instruction set that the module is made of: 128-bit vectors with fused products. */
const WASM_INSTRUCTION_SET = 'relaxed-simd';

/**
 * The kernels in WebAssembly behind the interface of the native addon. What starts a worker is given from outside,
 * because Node and browsers do it differently.
 */
export function createWasmAddon(module: WebAssembly.Module, startWorker: StartWorker): NativeAddon {
	const engines = new Map<EngineHandle, WasmEngine>();
	let lastHandle = 0;

	const engineOf = (handle: EngineHandle): WasmEngine => {
		const engine = engines.get(handle);
		if (engine === undefined) throw new Error(`there is no engine ${handle}`);
		return engine;
	};

	// each engine has functions of its own
	const kernelOf =
		(name: string) =>
		(handle: EngineHandle, ...values: (number | boolean)[]) => {
			const { call, kernels } = engineOf(handle);
			return call(kernels.get(name)!, values);
		};
	const names = Object.keys(kernelSignatures);

	return {
		instructionSets: () => [{ name: WASM_INSTRUCTION_SET, supported: true, automatic: true }],
		createEngine(_, threads) {
			const engine = createWasmEngine(module, threads, startWorker);
			const handle = ++lastHandle as EngineHandle;
			engines.set(handle, engine);
			return handle;
		},
		destroyEngine(handle) {
			engines.get(handle)?.close();
			engines.delete(handle);
		},
		allocate: (handle, bytes) => engineOf(handle).allocate(bytes) as Address,
		release: (handle, address) => engineOf(handle).release(address),
		upload(handle, address, source) {
			engineOf(handle).bytes(address, source.length).set(source);
		},
		download(handle, target, address) {
			target.set(engineOf(handle).bytes(address, target.length));
		},
		kernels: Object.fromEntries(names.map((name) => [name, kernelOf(name)])) as unknown as Kernels,
		// each engine compares what its module has with them
		signatures: kernelSignatures,
	};
}
