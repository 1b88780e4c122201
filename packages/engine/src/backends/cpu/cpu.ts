import { inputError, VulntuneError } from '../../errors.ts';
import type { Backend } from '../contract.ts';
import { activationGroup } from './activations.ts';
import { attentionGroup } from './attention.ts';
import { crossEntropyGroup } from './cross-entropy.ts';
import { createDevice } from './device.ts';
import { elementwiseGroup } from './elementwise.ts';
import { cpuFeatures } from './features.ts';
import { loraGroup } from './lora.ts';
import { focalGroup } from './losses.ts';
import { matmulGroup } from './matmul.ts';
import { memoryGroup } from './memory.ts';
import { loadNative } from './native.ts';
import { normGroup } from './norms.ts';
import { optimizerGroup } from './optimizer.ts';
import { quantizeGroup } from './quantize.ts';
import { rowGroup } from './rows.ts';

export interface CpuBackendOptions {
	/** An instruction set by name, or the best of this machine. */
	readonly isa?: string;
	/** Threads of the pool; default one per core that this process may use. */
	readonly threads?: number;
}

/**
 * The backend of native CPU kernels.
 *
 * Errors: `CPU_NATIVE_MISSING` (runtime) if the addon isn't there, `CPU_ISA` and `CPU_THREADS` (input) for options
 * that this machine can't follow, `CPU_THREADS_REFUSED` (resources).
 */
export function createCpuBackend(options: CpuBackendOptions = {}): Backend {
	const native = loadNative();
	if (native.addon === undefined) {
		throw new VulntuneError({
			code: 'CPU_NATIVE_MISSING',
			kind: 'runtime',
			message: native.reason,
			remedy: 'Install a C++20 compiler (g++ or clang++) and run `npm install` again.',
			cause: native.details,
		});
	}
	const features = cpuFeatures();
	const isa = options.isa === undefined || options.isa === 'auto' ? features.best! : options.isa;
	if (!features.instructionSets.some((set) => set.name === isa && set.supported)) {
		const names = features.instructionSets.filter((set) => set.supported).map((set) => set.name);
		throw inputError('CPU_ISA', `this machine has no instruction set ${isa}`, {
			place: 'backend.isa',
			remedy: `Use auto, or one of: ${names.join(', ')}.`,
		});
	}
	const threads = options.threads ?? features.threads;
	if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
		throw inputError('CPU_THREADS', `threads is a whole number from 1 to 1024, but this is ${threads}`, {
			place: 'backend.threads',
			remedy: 'Use auto, or the number of cores.',
		});
	}
	const device = createDevice(native.addon, isa, threads);
	const memory = memoryGroup(device);
	const products = matmulGroup(device);
	const groups = {
		...memory,
		...elementwiseGroup(device),
		...products,
		...quantizeGroup(device),
		...loraGroup(device),
		...normGroup(device),
		...attentionGroup(device),
		...activationGroup(device),
		...rowGroup(device),
		...focalGroup(device),
		...crossEntropyGroup(device, { ...memory, ...products }),
		...optimizerGroup(device),
	};
	return {
		...groups,
		name: 'cpu',
		description: `${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
		close: () => device.close(),
	};
}
