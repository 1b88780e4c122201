import type { WeightSource } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { readAhead } from './read-ahead.ts';

const sizes: Readonly<Record<string, number>> = { a: 3, b: 1, c: 2 };
const names = Object.keys(sizes);
const codeOf = (name: string) => name.charCodeAt(0);

function sourceOf(readInto?: WeightSource['readInto']): WeightSource {
	const read = (name: string) => new Uint8Array(sizes[name]!).fill(codeOf(name));
	return {
		place: 'test',
		names,
		info: (name) => ({ dtype: 'U8', shape: [sizes[name]!], byteLength: sizes[name]! }),
		read,
		readPart: (name) => read(name),
		readInto,
		close() {},
	};
}

it('reads the next tensor while one is used, into other memory', async () => {
	const started: string[] = [];
	const source = sourceOf(async (name, target) => {
		started.push(name);
		target.fill(codeOf(name));
	});
	const seen: string[] = [];
	for await (const { name, bytes } of readAhead(source, names)) {
		seen.push(name);
		await Promise.resolve();
		expect(started).toEqual(names.slice(0, seen.length + 1));
		expect([...bytes]).toEqual(Array(sizes[name]!).fill(codeOf(name)));
	}
	expect(seen).toEqual(names);
});

it('reads one after the other where that is all the source can', async () => {
	const seen: [string, number][] = [];
	for await (const { name, bytes } of readAhead(sourceOf(), names)) seen.push([name, bytes.length]);
	expect(seen).toEqual(Object.entries(sizes));
});

it('gives what went wrong with a tensor in its turn, and waits for reads when it is left', async () => {
	const failing = sourceOf(async (name) => {
		if (name === 'b') throw new Error('b is damaged');
	});
	const seen: string[] = [];
	const use = async () => {
		for await (const { name } of readAhead(failing, names)) seen.push(name);
	};
	await expect(use()).rejects.toThrow('b is damaged');
	expect(seen).toEqual(['a']);

	let finished = 0;
	const slow = sourceOf(async () => {
		await new Promise((resolve) => setImmediate(resolve));
		finished += 1;
	});
	for await (const { name } of readAhead(slow, names)) {
		if (name === 'a') break;
	}
	expect(finished).toBe(2);
});
