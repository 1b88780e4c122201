import { availableParallelism } from 'node:os';
import { type InstructionSet, loadNative, type NativeAddon, type NativeLoad } from './native.ts';

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
	return featuresOf(loadNative());
}

export function featuresOf(load: NativeLoad): CpuFeatures {
	const threads = availableParallelism();
	if (load.addon === undefined) {
		return { instructionSets: [], best: undefined, threads, failure: load };
	}
	return {
		instructionSets: load.addon.instructionSets(),
		best: bestSet(load.addon),
		threads,
		failure: undefined,
	};
}

/** What `isa: auto` takes; the addon has one for every machine. */
export function bestSet(addon: NativeAddon): string {
	return addon.instructionSets().find((set) => set.supported && set.automatic)!.name;
}
