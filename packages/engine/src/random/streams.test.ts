import { expect, test } from 'vitest';
import { VulntuneError } from '../errors.ts';
import { philox } from './philox.ts';
import {
	dropoutKeeps,
	hashStream,
	normalArray,
	permutation,
	seedWords,
	uniform,
	uniformArray,
} from './streams.ts';

test('an array holds the numbers of its addresses', () => {
	const values = uniformArray(7, 3, 100, -2, 6);
	for (const index of [0, 1, 2, 57, 99]) {
		expect(values[index]).toBe(Math.fround(-2 + 8 * uniform(7, 3, index)));
	}
	expect(normalArray(7, 3, 50, 0.02)).toEqual(normalArray(7, 3, 100, 0.02).subarray(0, 50));
});

test('seeds beyond 32 bits and streams give other numbers', () => {
	const first = uniform(1, 0, 0);
	expect(uniform(1 + 2 ** 32, 0, 0)).not.toBe(first);
	expect(uniform(1, 1, 0)).not.toBe(first);
	expect(uniform(1, 0, 2 ** 40)).not.toBe(first);
	expect(seedWords(5 * 2 ** 32 + 9)).toEqual([9, 5]);
});

test('a seed that is not a whole number from 0 is refused', () => {
	for (const seed of [-1, 0.5, Number.NaN, 2 ** 60]) expect(() => uniform(seed, 0, 0)).toThrow(VulntuneError);
});

test('normal numbers have the moments of the normal distribution', () => {
	const length = 200_000;
	const values = normalArray(11, hashStream('moments'), length, 2);
	const moment = (power: number) => values.reduce((sum, value) => sum + (value / 2) ** power, 0) / length;
	// Five standard errors of each moment's estimate.
	expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / length));
	expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / length));
	expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / length));
	expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / length));
});

test('the first normal numbers have the bits of an independent computation', () => {
	const bits = new Uint32Array(normalArray(1, hashStream('golden'), 4, 1).buffer);
	expect([...bits].map((word) => word.toString(16))).toEqual([
		'3eb7da1a',
		'bf5c1896',
		'3f88bd61',
		'bdc957d5',
	]);
});

test('a permutation holds every number once and all orders are about equally likely', () => {
	expect([...permutation(5, 1, 1000)].sort((a, b) => a - b)).toEqual(
		Array.from({ length: 1000 }, (_, i) => i),
	);
	expect(permutation(5, 1, 0)).toHaveLength(0);
	const counts = new Map<string, number>();
	const draws = 24_000;
	for (let seed = 0; seed < draws; seed++) {
		const order = permutation(seed, 2, 4).join();
		counts.set(order, (counts.get(order) ?? 0) + 1);
	}
	expect(counts.size).toBe(24);
	let chiSquare = 0;
	for (const count of counts.values()) chiSquare += (count - draws / 24) ** 2 / (draws / 24);
	expect(chiSquare).toBeLessThan(58); // 23 degrees of freedom: one in 10,000 is above 57.1
});

test('stream names hash as FNV-1a over UTF-8', () => {
	expect(hashStream('')).toBe(0x811c9dc5);
	expect(hashStream('a')).toBe(0xe40c292c);
	expect(hashStream('foobar')).toBe(0xbf9cf968);
});

test('dropout follows the documented half of a word and threshold', () => {
	const seed = 3 * 2 ** 32 + 4;
	for (const index of [0, 1, 2, 7, 1030, 2 ** 35 - 1]) {
		const word = philox([Math.floor(index / 8), 9, 0, 0], [4, 3])[Math.floor((index % 8) / 2)]!;
		const half = Math.floor(word / 2 ** (16 * (index % 2))) % 2 ** 16;
		expect(dropoutKeeps(seed, 9, index, half / 2 ** 16)).toBe(true);
		expect(dropoutKeeps(seed, 9, index, (half + 1) / 2 ** 16)).toBe(false);
	}
	expect(dropoutKeeps(1, 2, 3, 0)).toBe(true);
	expect(dropoutKeeps(1, 2, 3, 1)).toBe(false);
	let kept = 0;
	for (let index = 0; index < 20_000; index++) kept += dropoutKeeps(1, 2, index, 0.1) ? 1 : 0;
	expect(Math.abs(kept / 20_000 - 0.9)).toBeLessThan(5 * Math.sqrt(0.09 / 20_000));
});
