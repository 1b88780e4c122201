import { availableParallelism } from 'node:os';
import { bestSet, type MeasuredPeaks } from './best-set.ts';
import { type InstructionSet, loadNative, type NativeLoad } from './native.ts';

/** What this machine offers to the CPU backend: for `vulntune doctor`. */
export interface CpuFeatures {
	/** Instruction sets of the addon, best first; empty without an addon. */
	readonly instructionSets: readonly InstructionSet[];
	/** What `isa: auto` takes; undefined without an addon. */
	readonly best: string | undefined;
	/** By what it was chosen, where bfloat16 instructions had to be measured against fp32. */
	readonly peaks: MeasuredPeaks | undefined;
	/** What `threads: auto` takes. */
	readonly threads: number;
	/** Why the addon is missing; undefined if it is there. */
	readonly failure: { readonly reason: string; readonly details: string | undefined } | undefined;
}

export function cpuFeatures(): CpuFeatures {
	return featuresOf(loadNative());
}

function featuresOf(load: NativeLoad): CpuFeatures {
	const threads = availableParallelism();
	if (load.addon === undefined) {
		return { instructionSets: [], best: undefined, peaks: undefined, threads, failure: load };
	}
	const { name: best, peaks } = bestSet(load.addon);
	return { instructionSets: load.addon.instructionSets(), best, peaks, threads, failure: undefined };
}
