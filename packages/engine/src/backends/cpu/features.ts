import { availableParallelism } from 'node:os';
import { type InstructionSet, loadNative } from './native.ts';

/** What this machine offers to the CPU backend: for `vulntune doctor`. */
export interface CpuFeatures {
	/** Instruction sets of the addon, best first; empty without an addon. */
	readonly instructionSets: readonly InstructionSet[];
	/** What `isa: auto` takes; undefined without an addon. */
	readonly best: string | undefined;
	/** What `threads: auto` takes. */
	readonly threads: number;
	/** Why the addon is missing; undefined if it is there. */
	readonly failure: { readonly reason: string; readonly details: string | undefined } | undefined;
}

export function cpuFeatures(): CpuFeatures {
	const native = loadNative();
	const threads = availableParallelism();
	if (native.addon === undefined) {
		return { instructionSets: [], best: undefined, threads, failure: native };
	}
	const instructionSets = native.addon.instructionSets();
	const best = instructionSets.find((set) => set.supported && set.automatic)?.name;
	return { instructionSets, best, threads, failure: undefined };
}
