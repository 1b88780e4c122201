import { VulntuneError } from '../../errors.ts';
import type { Backend } from '../contract.ts';
import { createKernelBackend, type KernelBackendOptions } from './kernel-backend.ts';
import { loadNative } from './native.ts';

/**
 * The backend of native CPU kernels.
 *
 * Errors: `CPU_NATIVE_MISSING` (runtime) if the addon isn't there, `CPU_ISA` and `CPU_THREADS` (input) for options
 * that this machine can't follow, `CPU_THREADS_REFUSED` (resources).
 */
export function createCpuBackend(options: KernelBackendOptions = {}): Backend {
	const native = loadNative();
	if (native.addon === undefined) {
		throw new VulntuneError({
			code: 'CPU_NATIVE_MISSING',
			kind: 'runtime',
			message: native.reason,
			remedy: 'Install a C++20 compiler (g++ or clang++) and run `npm rebuild @vulntune/engine`.',
			cause: native.details,
		});
	}
	return createKernelBackend('cpu', native.addon, options);
}
