import { type Backend, createCpuBackend, createReferenceBackend, createWasmBackend } from '@vulntune/engine';
import { loadNative } from '@vulntune/engine/backends/cpu/native.ts';

export interface BackendUnderTest {
	readonly name: string;
	create(): Backend;
}

/** The backends that this machine can run, under the names that tests print; says which it can't. */
export function backendsUnderTest(): BackendUnderTest[] {
	const native = loadNative();
	if (native.addon === undefined) console.warn(`skipped: the cpu backend, because ${native.reason}`);
	return [
		{ name: 'reference', create: () => createReferenceBackend() },
		...(native.addon === undefined ? [] : [{ name: 'cpu', create: () => createCpuBackend({}) }]),
		{ name: 'wasm', create: () => createWasmBackend({}) },
	];
}
