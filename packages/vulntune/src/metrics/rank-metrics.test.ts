import { expect, it } from 'vitest';
import { largestF1 } from './best-f1.ts';
import {
	averagePrecision,
	recallAtFalsePositiveRate,
	rocAuc,
	vulnerabilityDetectionScore,
} from './rank-metrics.ts';
import { curveOf } from './ranking.ts';

// vulnerable, not, one of each with the same score, not, vulnerable
const curve = curveOf([1, 0, 1, 0, 0, 1], [0.9, 0.8, 0.7, 0.7, 0.5, 0.3]);
const near = (value: number) => ({ status: 'ok', value: expect.closeTo(value, 12) });

it('counts pairs in the right order, a tie half', () => {
	expect(rocAuc(curve)).toEqual(near(4.5 / 9));
});

it('adds the precision up where something is found', () => {
	expect(averagePrecision(curve)).toEqual(near((1 + 2 / 4 + 3 / 6) / 3));
	expect(largestF1(curve)).toBeCloseTo(6 / 9, 12);
	expect(largestF1(curveOf([1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6]))).toBeCloseTo(2 / 3, 12);
	expect(largestF1(curveOf([0, 0], [0.9, 0.8]))).toBe(0);
});

it.each([
	[0, 1 / 3, 0.9, 0],
	[1 / 3, 1 / 3, 0.9, 0],
	[2 / 3, 2 / 3, 0.7, 2 / 3],
	[0.99, 2 / 3, 0.7, 2 / 3],
	[1, 1, 0.3, 1],
])('finds what a false-positive rate of %d leaves', (limit, recall, threshold, falsePositiveRate) => {
	const point = { recall, threshold, falsePositiveRate };
	expect(recallAtFalsePositiveRate(curve, limit)).toEqual({ status: 'ok', ...point });
	expect(vulnerabilityDetectionScore(curve, limit)).toEqual(near(1 - recall));
});

it('finds nothing where the highest score is no vulnerable function', () => {
	const found = recallAtFalsePositiveRate(curveOf([0, 1], [0.9, 0.1]), 0.5);
	expect(found).toMatchObject({ recall: 0, threshold: Number.POSITIVE_INFINITY, falsePositiveRate: 0 });
});

it.each([
	['there are no functions', []],
	['there is no vulnerable function', [0, 0]],
] as const)('says why there is none: %s', (reason, labels) => {
	const none = curveOf(labels, labels);
	for (const outcome of [averagePrecision(none), rocAuc(none), vulnerabilityDetectionScore(none)]) {
		expect(outcome).toEqual({ status: 'undefined', reason });
	}
});
