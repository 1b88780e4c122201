import { inputError, type VulntuneError } from '../errors.ts';
import type { Backend } from './contract.ts';
import { createCpuBackend } from './cpu/cpu.ts';
import { loadNative } from './cpu/native.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';

export interface BackendChoice {
	readonly type: 'auto' | 'cuda' | 'cpu' | 'wasm' | 'reference';
	/** Instruction set of the cpu backend. */
	readonly isa: string;
	readonly threads: 'auto' | number;
}

/**
 * The backend that was asked for; with `auto` the fastest that there is. Falling back to the reference backend is
 * told to `warn`, because it is some hundred times slower.
 *
 * Throws BACKEND_UNAVAILABLE for a backend that this version or machine doesn't have.
 */
export function createBackend(choice: BackendChoice, warn: (message: string) => void): Backend {
	const cpu = () =>
		createCpuBackend({ isa: choice.isa, ...(choice.threads === 'auto' ? {} : { threads: choice.threads }) });
	switch (choice.type) {
		case 'reference':
			return createReferenceBackend();
		case 'cpu':
			return cpu();
		case 'auto': {
			const native = loadNative();
			if (native.addon !== undefined) return cpu();
			warn(
				`the native kernels are not there (${native.reason}); running on the reference backend, which is very slow`,
			);
			return createReferenceBackend();
		}
		default:
			throw unavailable(choice.type);
	}
}

function unavailable(type: string): VulntuneError {
	return inputError('BACKEND_UNAVAILABLE', `there is no ${type} backend in this version`, {
		place: 'backend.type',
		remedy: 'Use auto, cpu or reference.',
	});
}
