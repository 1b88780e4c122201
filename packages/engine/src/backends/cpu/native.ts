import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A kernel of the addon: the engine's handle, then addresses, sizes, factors and flags in the order of kernels.h. */
export type NativeKernel = (engine: number, ...values: (number | boolean)[]) => number;

export interface InstructionSet {
	/** `avx512bf16`, `avx512vnni`, `avx512`, `avx2`, `generic`, …; best first. */
	readonly name: string;
	/** Whether this machine can run it. */
	readonly supported: boolean;
	/** Whether `auto` may choose it; test-only levels are taken only by name. */
	readonly automatic: boolean;
}

/** What addon.cc exports, and WebAssembly in its place. Addresses and handles are numbers. */
export interface NativeAddon {
	instructionSets(): InstructionSet[];
	createEngine(instructionSet: string, threads: number): number;
	destroyEngine(engine: number): void;
	allocate(engine: number, bytes: number): number;
	release(engine: number, address: number): void;
	upload(engine: number, address: number, source: Uint8Array): void;
	download(engine: number, target: Uint8Array, address: number): void;
	readonly kernels: Readonly<Record<string, NativeKernel>>;
}

export type NativeLoad =
	| { readonly addon: NativeAddon }
	/** Why there is none, and the compiler's words if it was the compiler. */
	| { readonly addon: undefined; readonly reason: string; readonly details: string | undefined };

const buildFolder = path.join(
	path.dirname(fileURLToPath(import.meta.url)),
	'../../../build',
	`${process.platform}-${process.arch}`,
);

let loaded: NativeLoad | undefined;

/** Loads the addon that `npm install` built; says why if it can't. The second call returns what the first found. */
export function loadNative(): NativeLoad {
	loaded ??= load();
	return loaded;
}

function load(): NativeLoad {
	const addonPath = path.join(buildFolder, 'vulntune.node');
	const failurePath = path.join(buildFolder, 'failure.txt');
	if (!existsSync(addonPath)) {
		const details = existsSync(failurePath) ? readFileSync(failurePath, 'utf8').trim() : undefined;
		const reason =
			details === undefined ? 'the native kernels were not built' : 'building the native kernels failed';
		return { addon: undefined, reason, details };
	}
	try {
		return { addon: createRequire(import.meta.url)(addonPath) as NativeAddon };
	} catch (error) {
		return {
			addon: undefined,
			reason: 'the native kernels could not be loaded',
			details: error instanceof Error ? error.message : String(error),
		};
	}
}

/** The kernels of the addon with the signatures that a group of the backend declares for them. */
export function kernelsOf<Group>(addon: NativeAddon): Group {
	return addon.kernels as Group;
}
