import type { Backend } from './contract.ts';
import { createCpuBackend } from './cpu/cpu.ts';
import { loadNative } from './cpu/native.ts';
import { chooseCard } from './cuda/card.ts';
import { createCudaBackend } from './cuda/cuda.ts';
import type { KernelChoice } from './cuda/device.ts';
import { loadDriver } from './cuda/driver.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { loadWasm } from './wasm/node.ts';
import { createWasmBackend } from './wasm/wasm.ts';

export interface BackendChoice {
	readonly type: 'auto' | 'cuda' | 'cpu' | 'wasm' | 'reference';
	/** Instruction set of the cpu backend. */
	readonly isa: string;
	readonly threads: 'auto' | number;
	/** Which card of the cuda backend; default the first. */
	readonly device?: number;
	/** Which of its kernels; default `auto`, all. */
	readonly kernels?: KernelChoice;
}

/** Throws at once what `createBackend` would throw for a card that isn't there: before hours of data are read. */
export function requireBackend({ type, device = 0 }: BackendChoice): void {
	if (type === 'cuda') chooseCard(loadDriver(), device);
}

/**
 * The backend that was asked for; with `auto` the fastest that there is: native kernels, WebAssembly, and only then
 * the reference backend, some hundred times slower. Whatever is not the native kernels is told to `warn`.
 *
 * Throws what `createCpuBackend`, `createWasmBackend` and `createCudaBackend` throw on machines that can't run them.
 */
export function createBackend(choice: BackendChoice, warn: (message: string) => void): Backend {
	const threads = choice.threads === 'auto' ? {} : { threads: choice.threads };
	switch (choice.type) {
		case 'reference':
			return createReferenceBackend();
		case 'cpu':
			return createCpuBackend({ isa: choice.isa, ...threads });
		case 'wasm':
			return createWasmBackend(threads);
		case 'cuda':
			return createCudaBackend({ device: choice.device ?? 0, kernels: choice.kernels ?? 'auto' });
		case 'auto': {
			const native = loadNative();
			if (native.addon !== undefined) return createCpuBackend({ isa: choice.isa, ...threads });
			const wasm = loadWasm();
			if (wasm.addon !== undefined) {
				warn(
					`the native kernels are not there (${native.reason}); running in WebAssembly, some times slower`,
				);
				return createWasmBackend(threads);
			}
			warn(
				`the native kernels are not there (${native.reason}), and ${wasm.reason}; running on the reference backend, which is very slow`,
			);
			return createReferenceBackend();
		}
	}
}
