import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { openStateCache } from './state-cache.ts';

const root = temporaryFolder();
const tokens = (id: number) => Int32Array.of(id, 7);
const state = (value: number) => Float32Array.of(value, -value);
const foldersOf = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

it('gives states back to the bit, also to the next process, and under its own key alone', () => {
	const folder = path.join(root, 'kept');
	const cache = openStateCache(folder, 'a', 2);
	expect(cache.get(tokens(1))).toBeUndefined();
	cache.put(tokens(1), state(0.1));
	cache.flush();
	const next = openStateCache(folder, 'a', 2);
	next.put(tokens(2), state(2));
	next.flush();
	const last = openStateCache(folder, 'a', 2);
	expect(last.get(tokens(1))).toEqual(state(0.1));
	expect(last.get(tokens(2))).toEqual(state(2));
	expect(openStateCache(folder, 'b', 2).get(tokens(1))).toBeUndefined();
});

it('reads no file that is not whole', () => {
	const folder = path.join(root, 'damaged');
	const cache = openStateCache(folder, 'a', 2);
	cache.put(tokens(1), state(1));
	cache.flush();
	const inside = path.join(folder, foldersOf(folder)[0]!);
	const file = path.join(inside, foldersOf(inside)[0]!);
	const content = readFileSync(file);
	content[content.length - 1]! ^= 1;
	writeFileSync(file, content);
	expect(openStateCache(folder, 'a', 2).get(tokens(1))).toBeUndefined();
});

it('writes as it goes, and keeps no more than it may', () => {
	const folder = path.join(root, 'limited');
	const cache = openStateCache(folder, 'a', 2, { flushEvery: 2, bytesPerKey: 3 * 40 });
	for (const id of [1, 2, 3, 4]) cache.put(tokens(id), state(id));
	expect(cache.get(tokens(4))).toBeUndefined();
	expect(openStateCache(folder, 'a', 2).get(tokens(2))).toEqual(state(2));
	expect(openStateCache(folder, 'a', 2).get(tokens(3))).toBeUndefined();
});

it('removes what was not used for longest where the folder is full', () => {
	const folder = path.join(root, 'full');
	for (const [key, day] of [
		['old', 1],
		['new', 2],
	] as const) {
		const cache = openStateCache(folder, key, 2);
		cache.put(tokens(1), state(1));
		cache.flush();
		const made = foldersOf(folder)
			.map((name) => path.join(folder, name))
			.at(-1)!;
		if (key === 'old') utimesSync(made, day, day);
	}
	openStateCache(folder, 'new', 2, { bytes: 100 });
	expect(foldersOf(folder)).toHaveLength(1);
	expect(openStateCache(folder, 'new', 2).get(tokens(1))).toEqual(state(1));
});
