import { statfsSync } from 'node:fs';
import os from 'node:os';
import { cpuFeatures } from '@vulntune/engine/backends/cpu/features.ts';
import { findCards } from '@vulntune/engine/backends/cuda/card.ts';
import { loadWasm } from '@vulntune/engine/backends/wasm/node.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { availableMemory } from '../sizing/memory.ts';
import { type ModelFit, whatFits } from '../training/what-fits.ts';
import { describeGpus, type Gpu } from './gpus.ts';

/** What `vulntune doctor --json` prints; others script against the names. */
export interface MachineReport {
	/** What `backend: auto` takes; a card where the training fits on it. */
	readonly backend: 'cuda' | 'cpu' | 'wasm' | 'reference';
	/** Instruction set of the cpu backend; null where there are no native kernels. */
	readonly isa: string | null;
	/** By what the instruction set was chosen, where that was measured; null elsewhere. */
	readonly peaks: { readonly bf16: number; readonly fp32: number } | null;
	/** What `threads: auto` takes. */
	readonly threads: number;
	/** Memory that this process may use: the machine's, or its container's share. */
	readonly memoryBytes: number;
	readonly freeMemoryBytes: number;
	readonly gpus: readonly Gpu[];
	/** Why there is no card, in a line; null where there are some. */
	readonly gpusMissing: string | null;
	readonly node: string;
	readonly platform: string;
	readonly cpu: string;
	/** Instruction sets the native kernels were built for, and whether this machine runs them. */
	readonly instructionSets: readonly { readonly name: string; readonly supported: boolean }[];
	/** Why there are no native kernels; null where they are there. */
	readonly nativeFailure: { readonly reason: string; readonly details: string | null } | null;
	/** Why the kernels can't run in WebAssembly; null where they can. */
	readonly wasmFailure: { readonly reason: string; readonly details: string | null } | null;
	/** Space for runs in the working folder; null where the file system does not tell. */
	readonly diskFreeBytes: number | null;
	/** Where token ids of datasets are kept between runs. */
	readonly tokenCacheFolder: string;
	readonly fits: readonly ModelFit[];
}

/** What 32-bit addresses reach. */
const WASM_BYTES = 2 ** 32;

/** Looks at the machine; takes no longer than asking its GPU driver. */
export function examineMachine(): MachineReport {
	const features = cpuFeatures();
	const wasm = loadWasm();
	const host = features.failure === undefined ? 'cpu' : wasm.addon === undefined ? 'reference' : 'wasm';
	const search = findCards();
	const gpus = describeGpus(search);
	const memoryBytes = availableMemory();
	return {
		backend: gpus.some(({ unusable }) => unusable === null) ? 'cuda' : host,
		isa: features.best ?? null,
		peaks: features.peaks ?? null,
		threads: host === 'reference' ? 1 : features.threads,
		memoryBytes,
		freeMemoryBytes: Math.min(os.freemem(), memoryBytes),
		gpus,
		gpusMissing: search.missing?.summary ?? null,
		node: process.versions.node,
		platform: `${process.platform}-${process.arch}`,
		cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
		instructionSets: features.instructionSets.map(({ name, supported }) => ({ name, supported })),
		nativeFailure:
			features.failure === undefined
				? null
				: { reason: features.failure.reason, details: features.failure.details ?? null },
		wasmFailure: wasm.addon === undefined ? { reason: wasm.reason, details: wasm.details ?? null } : null,
		diskFreeBytes: freeDisk(process.cwd()),
		tokenCacheFolder: defaultTokenCacheFolder(),
		fits: whatFits(host === 'wasm' ? Math.min(memoryBytes, WASM_BYTES) : memoryBytes),
	};
}

function freeDisk(folder: string): number | null {
	try {
		const { bavail, bsize } = statfsSync(folder);
		return bavail * bsize;
	} catch {
		return null;
	}
}
