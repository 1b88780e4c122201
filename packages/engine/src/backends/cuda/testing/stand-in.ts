import { createRequire } from 'node:module';
import { afterAll } from 'vitest';
import { loadForeignFunctions } from '../../foreign-functions.ts';
import { type CudaBackendOptions, createCudaBackend } from '../cuda.ts';

/** What the stand-in for libcuda pretends to be; by default one card of compute capability 8.0. */
export interface StandIn {
	readonly devices?: number;
	/** 12000 for CUDA 12.0. */
	readonly driver?: number;
	/** 80 for 8.0. */
	readonly capability?: number;
	/** Few make the backend choose large tiles for small products. */
	readonly multiprocessors?: number;
	/** Bytes of each card; a GiB by default, and no more than that can be had. */
	readonly memory?: number;
	/** 0: takes PTX alone. */
	readonly cubins?: number;
	/** 1: refuses every module. */
	readonly damaged?: number;
}

const builder = new URL('../../../../native/cuda/emulation/build.mjs', import.meta.url);

/** Builds the stand-in, if this machine can, with these of the kernels that no card has timed, and makes it the driver of the tests of a file; else says why not. */
export async function prepareStandIn(
	variants: readonly string[] = [],
): Promise<{ readonly missing: string | undefined }> {
	try {
		if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('it needs Linux on x86-64');
		createRequire(import.meta.url)('koffi');
		const { buildStandIn } = (await import(builder.href)) as {
			buildStandIn(variants: readonly string[]): string;
		};
		const before = process.env.VULNTUNE_LIBCUDA;
		process.env.VULNTUNE_LIBCUDA = buildStandIn(variants);
		// tests of other files, in the same process, have the driver that they had
		afterAll(() => {
			if (before === undefined) delete process.env.VULNTUNE_LIBCUDA;
			else process.env.VULNTUNE_LIBCUDA = before;
		});
		return { missing: undefined };
	} catch (error) {
		const missing = `there is no stand-in for libcuda: ${(error as Error).message}`;
		console.warn(`skipped: the cuda backend, because ${missing}`);
		return { missing };
	}
}

/** Builds the stand-in for libnccl that works over that for libcuda. */
export async function ncclStandIn(): Promise<string> {
	return ((await import(builder.href)) as { buildNcclStandIn(): string }).buildNcclStandIn();
}

/** Runs `work` with a stand-in of this kind, which it is asked about when a backend is made. */
export function withStandIn<Result>(kind: StandIn, work: () => Result): Result {
	const names = Object.entries(kind).map(([name, value]) => {
		const variable = `VULNTUNE_STAND_IN_${name.toUpperCase()}`;
		process.env[variable] = String(value);
		return variable;
	});
	try {
		return work();
	} finally {
		for (const variable of names) delete process.env[variable];
	}
}

export function createStandInBackend(kind: StandIn = {}, options: CudaBackendOptions = {}) {
	return withStandIn(kind, () => createCudaBackend(options));
}

/** How often the host has waited for the stand-in's card so far, or done what may make it wait: see driver.cc. */
export const hostWaits = () => count('standInWaits');

/** How many modules of PTX it was given so far, which a driver compiles. */
export const compilations = () => count('standInCompilations');

function count(name: string): number {
	return loadForeignFunctions().load(process.env.VULNTUNE_LIBCUDA!).func(`int ${name}()`)();
}
