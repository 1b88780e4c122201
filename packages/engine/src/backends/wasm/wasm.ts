import { VulntuneError } from '../../errors.ts';
import type { Backend } from '../contract.ts';
import { createKernelBackend, type KernelBackendOptions } from '../cpu/kernel-backend.ts';
import { loadWasm } from './node.ts';

/**
 * The kernels of the cpu backend in WebAssembly, for machines without a compiler. Its tensors have 4 GiB.
 *
 * Errors: `WASM_MISSING` (runtime) if the module can't be loaded, `CPU_THREADS` (input), `CPU_THREADS_REFUSED`
 * (resources).
 */
export function createWasmBackend(options: Pick<KernelBackendOptions, 'threads'> = {}): Backend {
	const load = loadWasm();
	if (load.addon === undefined) {
		throw new VulntuneError({
			code: 'WASM_MISSING',
			kind: 'runtime',
			message: load.reason,
			remedy: 'Use Node 24 or newer.',
			cause: load.details,
		});
	}
	return createKernelBackend('wasm', load.addon, options);
}
