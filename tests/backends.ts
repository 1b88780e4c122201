import {
	type Backend,
	createCpuBackend,
	createCudaBackend,
	createReferenceBackend,
	createWasmBackend,
} from '@vulntune/engine';
import { loadNative } from '@vulntune/engine/backends/cpu/native.ts';
import { findCards } from '@vulntune/engine/backends/cuda/card.ts';

export interface BackendUnderTest {
	readonly name: string;
	create(): Backend;
}

/** The backends that this machine can run, under the names that tests print; says which it can't. */
export function backendsUnderTest(): BackendUnderTest[] {
	const native = loadNative();
	if (native.addon === undefined) console.warn(`skipped: the cpu backend, because ${native.reason}`);
	const card = findCards().cards.find(({ unusable }) => unusable === undefined);
	return [
		{ name: 'reference', create: () => createReferenceBackend() },
		...(native.addon === undefined ? [] : [{ name: 'cpu', create: () => createCpuBackend({}) }]),
		{ name: 'wasm', create: () => createWasmBackend({}) },
		...(card === undefined
			? []
			: [{ name: 'cuda', create: () => createCudaBackend({ device: card.ordinal }) }]),
	];
}
