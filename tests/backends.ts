import { type Backend, createCpuBackend, createReferenceBackend, createWasmBackend } from '@vulntune/engine';

export interface BackendUnderTest {
	readonly name: string;
	create(): Backend;
}

/** The backends that this machine can run, under the names that tests print. */
export function backendsUnderTest(): BackendUnderTest[] {
	return [
		{ name: 'reference', create: () => createReferenceBackend() },
		{ name: 'cpu', create: () => createCpuBackend({}) },
		{ name: 'wasm', create: () => createWasmBackend({}) },
	];
}
