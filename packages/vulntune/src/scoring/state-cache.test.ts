import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import type { KeptStates } from '../methods/kept-states.ts';
import { openStateCache } from './state-cache.ts';

const root = temporaryFolder();
const tokens = (id: number) => Int32Array.of(id, 7);
/** 8 bytes, 76 in a record. */
const state = (value: number) => new Uint8Array(Float64Array.of(value).buffer);
const read = (cache: KeptStates, id: number) => {
	const bytes = cache.get(tokens(id));
	return bytes && Uint8Array.from(bytes);
};
const flipped = (content: Buffer, place: number) => {
	content[place]! ^= 0x80;
	return content;
};
/** The only file below. */
const fileIn = (folder: string) => {
	const [inside] = readdirSync(folder).map((name) => path.join(folder, name));
	return path.join(inside!, readdirSync(inside!)[0]!);
};
const foldersOf = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
/** The folder of a key, with one state in it. */
const madeFor = (key: string, folder: string) => {
	const before = foldersOf(folder);
	const cache = openStateCache(folder, key);
	cache.put(tokens(1), state(1));
	cache.flush();
	return path.join(folder, foldersOf(folder).find((name) => !before.includes(name))!);
};

it('gives states back to the bit, also to the next process, and under its own key alone', () => {
	const folder = path.join(root, 'kept');
	const cache = openStateCache(folder, 'a');
	expect(read(cache, 1)).toBeUndefined();
	cache.put(tokens(1), state(0.1));
	cache.flush();
	const next = openStateCache(folder, 'a');
	next.put(tokens(2), state(2));
	next.flush();
	const last = openStateCache(folder, 'a');
	expect(read(last, 1)).toEqual(state(0.1));
	expect(read(last, 2)).toEqual(state(2));
	expect(read(openStateCache(folder, 'b'), 1)).toBeUndefined();
});

it.each<[string, (content: Buffer) => Buffer]>([
	['another bit in a state', (content) => flipped(content, content.length - 1)],
	['another bit in a hash', (content) => flipped(content, 40)],
	['a length that is too large', (content) => flipped(content, 67)],
	['an end that is missing', (content) => content.subarray(0, -1)],
])('gives no state that is not whole, and keeps it anew: %s', (name, damage) => {
	const folder = path.join(root, name.replaceAll(' ', '-'));
	const keep = (cache = openStateCache(folder, 'a')) => {
		cache.put(tokens(1), state(1));
		cache.flush();
	};
	keep();
	const file = fileIn(folder);
	writeFileSync(file, damage(readFileSync(file)));
	const cache = openStateCache(folder, 'a');
	expect(read(cache, 1)).toBeUndefined();
	keep(cache);
	expect(read(cache, 1)).toEqual(state(1));
	expect(read(openStateCache(folder, 'a'), 1)).toEqual(state(1));
});

it('keeps the sound states beside one that is not whole', () => {
	const folder = path.join(root, 'sound');
	const limits = { bytesPerKey: 3 * 76 };
	const first = openStateCache(folder, 'a', limits);
	for (const id of [1, 2, 3]) first.put(tokens(id), state(id));
	first.flush();
	writeFileSync(fileIn(folder), flipped(readFileSync(fileIn(folder)), 76 + 75));
	const cache = openStateCache(folder, 'a', limits);
	expect([3, 2, 1].map((id) => read(cache, id))).toEqual([state(3), undefined, state(1)]);
	expect(statSync(fileIn(folder)).size).toBe(2 * 76);
	cache.put(tokens(2), state(2));
	// those that were sound still take their room
	cache.put(tokens(4), state(4));
	expect(read(cache, 4)).toBeUndefined();
	cache.flush();
	expect([1, 2, 3].map((id) => read(openStateCache(folder, 'a'), id))).toEqual([1, 2, 3].map(state));
});

it('has the room of a state that is not whole again', () => {
	const folder = path.join(root, 'room-again');
	const limits = { bytesPerKey: 76 };
	const first = openStateCache(folder, 'a', limits);
	first.put(tokens(1), state(1));
	first.flush();
	writeFileSync(fileIn(folder), flipped(readFileSync(fileIn(folder)), 75));
	const cache = openStateCache(folder, 'a', limits);
	expect(read(cache, 1)).toBeUndefined();
	cache.put(tokens(1), state(1));
	cache.flush();
	expect(read(cache, 1)).toEqual(state(1));
});

it('gives no state of a file that can be neither read nor removed', () => {
	const folder = madeFor('a', path.join(root, 'not-removable'));
	const file = path.join(folder, readdirSync(folder)[0]!);
	const cache = openStateCache(path.dirname(folder), 'a');
	rmSync(file);
	mkdirSync(file);
	expect(read(cache, 1)).toBeUndefined();
	cache.put(tokens(1), state(1));
	cache.flush();
	expect(read(cache, 1)).toEqual(state(1));
});

it('gives what lies before a record that was cut off', () => {
	const folder = path.join(root, 'cut-off');
	const cache = openStateCache(folder, 'a');
	for (const id of [1, 2]) cache.put(tokens(id), state(id));
	cache.flush();
	truncateSync(fileIn(folder), 2 * 76 - 1);
	const next = openStateCache(folder, 'a');
	expect(read(next, 2)).toBeUndefined();
	expect(read(next, 1)).toEqual(state(1));
});

it('keeps a state once, as it was when it was given', () => {
	const folder = path.join(root, 'once');
	const cache = openStateCache(folder, 'a', { bytesPerKey: 2 * 76 });
	const given = state(1);
	cache.put(tokens(1), given);
	given.fill(7);
	cache.put(tokens(1), given);
	cache.put(tokens(2), state(2));
	const expectBoth = () => expect([1, 2].map((id) => read(cache, id))).toEqual([state(1), state(2)]);
	expectBoth();
	cache.flush();
	expectBoth();
	expect(statSync(fileIn(folder)).size).toBe(2 * 76);
});

it('keeps no more than it may beside what another process writes meanwhile', () => {
	const folder = path.join(root, 'together');
	const limits = { bytesPerKey: 3 * 76 };
	const caches = [openStateCache(folder, 'a', limits), openStateCache(folder, 'a', limits)];
	for (const [process, cache] of caches.entries()) {
		for (const id of [1, 2]) cache.put(tokens(10 * process + id), state(id));
		cache.flush();
	}
	const inside = path.join(folder, foldersOf(folder)[0]!);
	const sizes = foldersOf(inside).map((file) => statSync(path.join(inside, file)).size);
	expect(sizes).toEqual([2 * 76]);
});

it('gives what lies beside a file that can’t be read', () => {
	const folder = path.join(root, 'unreadable');
	const cache = openStateCache(folder, 'a');
	cache.put(tokens(1), state(1));
	cache.flush();
	const inside = path.join(folder, foldersOf(folder)[0]!);
	mkdirSync(path.join(inside, '0.states'));
	expect(read(openStateCache(folder, 'a'), 1)).toEqual(state(1));
});

it('writes as it goes, and keeps no more than it may', () => {
	const folder = path.join(root, 'limited');
	const cache = openStateCache(folder, 'a', { flushBytes: 2 * 76, bytesPerKey: 3 * 76 });
	for (const id of [1, 2, 3, 4]) cache.put(tokens(id), state(id));
	expect(read(cache, 4)).toBeUndefined();
	expect(read(openStateCache(folder, 'a'), 2)).toEqual(state(2));
	expect(read(openStateCache(folder, 'a'), 3)).toBeUndefined();
});

it('leaves room on the disk', () => {
	const folder = path.join(root, 'short-of-room');
	const cache = openStateCache(folder, 'a', { freeBytes: 2 ** 60 });
	cache.put(tokens(1), state(1));
	cache.flush();
	expect(foldersOf(folder)).toEqual([]);
	expect(read(cache, 1)).toBeUndefined();
});

it('removes what was not used for longest where the folder is full', () => {
	const folder = path.join(root, 'full');
	const made = ['old', 'oldest', 'new'].map((key) => madeFor(key, folder));
	for (const [index, day] of [2, 1].entries()) utimesSync(made[index]!, day, day);
	openStateCache(folder, 'new', { bytes: 2 * 76, bytesPerKey: 76 });
	expect(made.map((each) => existsSync(each))).toEqual([true, false, true]);
	expect(read(openStateCache(folder, 'new'), 1)).toEqual(state(1));
});

it('takes what is opened for used', () => {
	const folder = path.join(root, 'used');
	const made = ['opened', 'left'].map((key) => madeFor(key, folder));
	for (const [day, each] of made.entries()) utimesSync(each, day, day);
	openStateCache(folder, 'opened');
	openStateCache(folder, 'new', { bytes: 2 * 76, bytesPerKey: 76 });
	expect(made.map((each) => existsSync(each))).toEqual([true, false]);
});
