import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Address, EngineHandle } from './handles.ts';
import { type Kernels, kernelSignatures } from './kernel-table.ts';

export interface InstructionSet {
	/** `amx`, `avx512bf16`, `avx512vnni`, `avx512`, `avxvnni`, `avx2`, `dotprod`, `generic`, …; best first. */
	readonly name: string;
	/** Whether this machine can run it. */
	readonly supported: boolean;
	/** Whether `auto` may choose it; test-only levels are taken only by name. */
	readonly automatic: boolean;
}

/** What addon.cc exports, and WebAssembly in its place. Addresses and handles are numbers. */
export interface NativeAddon {
	instructionSets(): InstructionSet[];
	createEngine(instructionSet: string, threads: number): EngineHandle;
	destroyEngine(engine: EngineHandle): void;
	allocate(engine: EngineHandle, bytes: number): Address;
	release(engine: EngineHandle, address: Address): void;
	upload(engine: EngineHandle, address: Address, source: Uint8Array): void;
	download(engine: EngineHandle, target: Uint8Array, address: Address): void;
	/** Where the memory of an array lies; missing where kernels can't reach it. */
	addressOf?(array: Uint8Array): Address;
	readonly kernels: Kernels;
	/** As `kernelSignatures`, of what was built. */
	readonly signatures: Readonly<Record<string, string>>;
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
		const addon = createRequire(import.meta.url)(addonPath) as NativeAddon;
		const difference = otherSignature(addon.signatures ?? {});
		if (difference === undefined) return { addon };
		return {
			addon: undefined,
			reason: 'the native kernels were built from other sources',
			details: difference,
		};
	} catch (error) {
		return {
			addon: undefined,
			reason: 'the native kernels could not be loaded',
			details: error instanceof Error ? error.message : String(error),
		};
	}
}

/** The first kernel that takes other arguments than it is given here, in words; undefined where all are as they should be. */
export function otherSignature(built: Readonly<Record<string, string>>): string | undefined {
	for (const [name, signature] of Object.entries(kernelSignatures)) {
		if (built[name] === signature) continue;
		return `${name} takes ${built[name] ?? 'nothing'} where ${signature} is given; run \`npm rebuild @vulntune/engine\``;
	}
	return undefined;
}
