import { describe, expect, it } from 'vitest';
import { delongInterval, pairedDelong } from './delong.ts';

const labels = [1, 1, 1, 0, 0, 0];
const a = [0.9, 0.8, 0.2, 0.7, 0.3, 0.1];
const b = [0.6, 0.2, 0.7, 0.1, 0.9, 0.5];

describe('the interval of an AUC', () => {
	it('needs two functions of each class', () => {
		expect(delongInterval([1, 0, 0], [0.9, 0.2, 0.1])).toMatchObject({ status: 'undefined' });
		expect(delongInterval([1, 1, 0], [0.9, 0.8, 0.1])).toMatchObject({ status: 'undefined' });
		expect(delongInterval([0, 0], [0.9, 0.8])).toMatchObject({ status: 'undefined' });
		// shares of others that are outranked: 1 and 0.5 of the vulnerable, 0.5 and 1 of the others
		const deviation = Math.sqrt(0.125 / 2 + 0.125 / 2);
		const { low, high } = delongInterval([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) as { low: number; high: number };
		expect([low, high]).toEqual([-1, 1].map((side) => expect.closeTo(0.75 + side * 1.96 * deviation, 4)));
	});
});

describe('the difference of two AUCs', () => {
	it('has a normal interval around it, as wide as its test says', () => {
		const found = pairedDelong(labels, a, b);
		if (!('test' in found) || found.test.status !== 'ok') throw new Error('no test');
		const { difference, varianceA, varianceB, covariance, test } = found;
		expect(difference).toBeCloseTo(7 / 9 - 5 / 9, 12);
		const deviation = Math.sqrt(varianceA + varianceB - 2 * covariance);
		expect(test.z).toBeCloseTo(difference / deviation, 12);
		expect(test.low).toBeCloseTo(difference - 1.96 * deviation, 4);
		expect(test.high).toBeCloseTo(difference + 1.96 * deviation, 4);
	});

	it('has no test between equal rankings, nor without two functions of each class', () => {
		const found = pairedDelong(labels, a, a.map(Math.sqrt));
		expect(found).toMatchObject({ difference: 0, test: { status: 'undefined' } });
		expect(pairedDelong([1, 0, 0], [0.9, 0.2, 0.1], [0.1, 0.2, 0.9])).toMatchObject({ status: 'undefined' });
	});
});
