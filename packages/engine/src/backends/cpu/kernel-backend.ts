import { availableParallelism } from 'node:os';
import { inputError } from '../../errors.ts';
import type { Backend, Hardware } from '../contract.ts';
import { activationGroup } from './activations.ts';
import { attentionGroup } from './attention.ts';
import { bestSet } from './best-set.ts';
import { crossEntropyGroup } from './cross-entropy.ts';
import { createDevice } from './device.ts';
import { elementwiseGroup } from './elementwise.ts';
import { linearGroup } from './linear.ts';
import { loraGroup } from './lora.ts';
import { focalGroup } from './losses.ts';
import { matmulGroup } from './matmul.ts';
import { memoryGroup } from './memory.ts';
import type { NativeAddon } from './native.ts';
import { normGroup } from './norms.ts';
import { optimizerGroup } from './optimizer.ts';
import { quantizeGroup } from './quantize.ts';
import { rowGroup } from './rows.ts';

export interface KernelBackendOptions {
	/** An instruction set by name, or the best that there is. */
	readonly isa?: string;
	/** Threads of the pool; default one per core that this process may use. */
	readonly threads?: number;
}

/**
 * A backend over kernels of native/, wherever they were compiled to.
 *
 * Errors: `CPU_ISA` and `CPU_THREADS` (input) for options that can't be followed, `CPU_THREADS_REFUSED` (resources).
 */
export function createKernelBackend(
	name: string,
	addon: NativeAddon,
	options: KernelBackendOptions,
): Backend {
	const hardware = chosenSet(addon, options.isa);
	const { isa } = hardware;
	const sets = addon.instructionSets().filter((set) => set.supported);
	if (!sets.some((set) => set.name === isa)) {
		throw inputError('CPU_ISA', `the ${name} backend of this machine has no instruction set ${isa}`, {
			place: 'backend.isa',
			remedy: `Use auto, or one of: ${sets.map((set) => set.name).join(', ')}.`,
		});
	}
	const threads = options.threads ?? availableParallelism();
	if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
		throw inputError('CPU_THREADS', `threads is a whole number from 1 to 1024, but this is ${threads}`, {
			place: 'backend.threads',
			remedy: 'Use auto, or the number of cores.',
		});
	}
	const device = createDevice(addon, isa, threads);
	const memory = memoryGroup(device);
	const products = matmulGroup(device);
	const groups = {
		...memory,
		...elementwiseGroup(device),
		...products,
		...quantizeGroup(device, memory),
		...loraGroup(device),
		...linearGroup(device),
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
		name,
		description: `${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
		hardware,
		close: () => device.close(),
	};
}

function chosenSet(addon: NativeAddon, isa = 'auto'): Hardware & { readonly isa: string } {
	if (isa !== 'auto') return { isa };
	const { name, peaks } = bestSet(addon);
	return { isa: name, ...(peaks === undefined ? {} : { peaks }) };
}
