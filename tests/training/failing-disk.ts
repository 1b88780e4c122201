import type * as fs from 'node:fs';
import { vi } from 'vitest';

/** What fails on a full or broken disk: everything that writes. */
const writers = [
	'writeSync',
	'fsyncSync',
	'mkdirSync',
	'renameSync',
	'ftruncateSync',
	'copyFileSync',
] as const;

const state = { code: 'ENOSPC', failAt: Number.POSITIVE_INFINITY, calls: 0 };

/**
 * Lets the given write fail (counted from 1 over all kinds of writing calls), as a full disk does (ENOSPC) or a broken
 * one (EIO); all others reach the disk.
 */
export function failWrite(failAt: number, code: 'ENOSPC' | 'EIO'): void {
	Object.assign(state, { code, failAt, calls: 0 });
}

/** Writes since `failWrite`. */
export function countedWrites(): number {
	return state.calls;
}

/** `node:fs` with the failing writes, for `vi.mock`. */
export async function failingFileSystem(): Promise<typeof fs> {
	const actual = await vi.importActual<typeof fs>('node:fs');
	const failing = writers.map((name) => {
		const original = actual[name] as (...values: unknown[]) => unknown;
		const guarded = (...values: unknown[]) => {
			state.calls += 1;
			if (state.calls !== state.failAt) return original(...values);
			const { code } = state;
			const path = values.find((value) => typeof value === 'string');
			throw Object.assign(new Error(`${code}: injected, ${name}`), { code, syscall: name, path });
		};
		return [name, guarded] as const;
	});
	const mocked = { ...actual, ...Object.fromEntries(failing) } as typeof fs;
	return { ...mocked, default: mocked } as typeof fs;
}
