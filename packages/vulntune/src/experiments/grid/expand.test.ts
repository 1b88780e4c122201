import { describe, expect, it } from 'vitest';
import { drawPoints, product } from './expand.ts';

const axes = new Map<string, never>([
	['rate', { from: 1e-5, to: 1e-2, scale: 'log', whole: false } as never],
	['rank', { from: 2, to: 5, scale: 'linear', whole: true } as never],
	['loss', ['focal', 'crossEntropy'] as never],
]);

describe('random points', () => {
	it('are the same for a seed, and the first ones of more', () => {
		const points = drawPoints(axes, 40, 1);
		expect(points).toHaveLength(40);
		expect(drawPoints(axes, 5, 1)).toEqual(points.slice(0, 5));
		expect(drawPoints(axes, 5, 2)).not.toEqual(points.slice(0, 5));
	});

	it('fill their ranges, on the scale that is asked for', () => {
		const points = drawPoints(axes, 200, 3);
		const rates = points.map((point) => point.get('rate') as number);
		expect(Math.min(...rates)).toBeGreaterThanOrEqual(1e-5);
		expect(Math.max(...rates)).toBeLessThanOrEqual(1e-2);
		const below = rates.filter((rate) => rate < 10 ** -3.5).length;
		expect(below).toBeGreaterThan(80);
		expect(below).toBeLessThan(120);
		expect([...new Set(points.map((point) => point.get('rank')))].toSorted()).toEqual([2, 3, 4, 5]);
		expect(new Set(points.map((point) => point.get('loss')))).toEqual(new Set(['focal', 'crossEntropy']));
	});

	it('come once each, and no more than there are', () => {
		const few = new Map([['a', [1, 2, 3]]]);
		expect(
			drawPoints(few, 10, 1)
				.map((point) => point.get('a'))
				.toSorted(),
		).toEqual([1, 2, 3]);
	});
});

it('a product runs its last axis fastest', () => {
	const points = product(
		new Map([
			['a', [1, 2]],
			['b', [3, 4]],
		]),
	);
	expect(points.map((point) => [...point.values()])).toEqual([
		[1, 3],
		[1, 4],
		[2, 3],
		[2, 4],
	]);
});
