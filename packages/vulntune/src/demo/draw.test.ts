import { expect, test } from 'vitest';
import { createDraw } from './draw.ts';

test('a sequence depends on seed and name alone', () => {
	const numbers = (seed: number, name: string) => {
		const draw = createDraw(seed, name);
		return Array.from({ length: 20 }, () => draw.below(1000));
	};
	expect(numbers(5, 'a')).toEqual(numbers(5, 'a'));
	expect(numbers(5, 'a')).not.toEqual(numbers(6, 'a'));
	expect(numbers(5, 'a')).not.toEqual(numbers(5, 'b'));
	expect(numbers(5, 'a')).not.toEqual(numbers(5 + 2 ** 32, 'a'));
});

test('below reaches every number of its range and no other', () => {
	const draw = createDraw(1, 'range');
	const seen = new Set(Array.from({ length: 500 }, () => draw.below(7)));
	expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('weights are followed, and a weight of zero is never drawn', () => {
	const draw = createDraw(1, 'weights');
	const counts = { a: 0, b: 0, c: 0 };
	for (let index = 0; index < 4000; index++) counts[draw.weighted({ a: 3, b: 1, c: 0 })]++;
	expect(counts.c).toBe(0);
	expect(counts.a / 4000).toBeCloseTo(0.75, 1);
});

test('a shuffle holds the same items, a sample different ones', () => {
	const draw = createDraw(1, 'shuffle');
	const items = ['a', 'b', 'c', 'd', 'e'];
	expect(draw.shuffle(items).sort()).toEqual(items);
	expect(new Set(draw.sample(items, 3)).size).toBe(3);
	expect(draw.sample(items, 9)).toHaveLength(5);
});
