import { expect, it } from 'vitest';
import { tokenStatistics } from './statistics.ts';

it('describes lengths in numeric order', () => {
	expect(tokenStatistics([100, 9, 20, 30], 30)).toEqual({
		functions: 4,
		tokens: 159,
		min: 9,
		median: 25,
		mean: 39.75,
		p90: 100,
		max: 100,
		// 30 tokens and a separator do not fit 30.
		longer: 2,
		longerShare: 0.5,
	});
	const ten = Array.from({ length: 10 }, (_, index) => index + 1);
	expect(tokenStatistics(ten, 100)).toMatchObject({ p90: 9, median: 5.5, longer: 0 });
	expect(tokenStatistics([7, 3, 5], 100).median).toBe(5);
});

it('is all zeros without functions', () => {
	expect(Object.values(tokenStatistics([], 512)).every((value) => value === 0)).toBe(true);
});
