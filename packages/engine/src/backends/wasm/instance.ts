/** An instance of the module of kernels; every thread of an engine has one over the same memory. */

/** What the module exports: native/wasm/module.cc. Addresses are numbers of 32 bits, which may arrive negative. */
export interface WasmExports {
	/** The thread's own stack, which grows downwards. */
	readonly __stack_pointer: { value: number };
	readonly __indirect_function_table: { get(index: number): (...values: (number | boolean)[]) => number };
	listKernels(): number;
	createEngine(threads: number): number;
	serve(engine: number, thread: number): void;
	leave(engine: number): void;
	stop(engine: number): void;
	allocate(engine: number, bytes: number): number;
	release(engine: number, address: number): number;
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): WasmExports {
	const env = {
		memory,
		milliseconds: () => performance.now(),
		outOfMemory() {
			throw Object.assign(new Error('out of memory'), { code: 'RESOURCES' });
		},
		// As they are, so that V8 knows them and puts its own code in their place.
		exp: Math.exp,
		expm1: Math.expm1,
		log: Math.log,
		log1p: Math.log1p,
		pow: Math.pow,
	};
	return new WebAssembly.Instance(module, { env }).exports as unknown as WasmExports;
}
