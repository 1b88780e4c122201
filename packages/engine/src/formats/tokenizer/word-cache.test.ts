import { expect, test } from 'vitest';
import { createWordCache } from './word-cache.ts';

test('keeps what it is given, up to a length and a number of words', () => {
	const cache = createWordCache<number>();
	cache.put('word', 1);
	cache.put('x'.repeat(1000), 2);
	expect(cache.get('word')).toBe(1);
	expect(cache.get('x'.repeat(1000))).toBeUndefined();
	for (let i = 0; i < 100_000; i++) cache.put(String(i), i);
	expect(cache.get('99999')).toBe(99_999);
	expect(cache.get('word')).toBeUndefined();
	cache.clear();
	expect(cache.get('99999')).toBeUndefined();
});
