import { expect, it } from 'vitest';
import { precisionRecallCurve, rocCurve } from './curves.ts';
import { curveOf } from './ranking.ts';

it('leaves out the middle of a straight line of the ROC curve, and no corner', () => {
	// by falling score: vulnerable, not, then one of each with the same score
	const corner = curveOf([1, 0, 0, 1], [0.9, 0.8, 0.7, 0.7]);
	expect(rocCurve(corner)).toEqual({
		status: 'ok',
		falsePositiveRate: [0, 0, 0.5, 1],
		truePositiveRate: [0, 0.5, 0.5, 1],
		thresholds: [Number.POSITIVE_INFINITY, 0.9, 0.8, 0.7],
	});
	const straight = curveOf([1, 0, 0, 0], [0.9, 0.8, 0.7, 0.6]);
	expect(rocCurve(straight)).toMatchObject({ thresholds: [Number.POSITIVE_INFINITY, 0.9, 0.6] });
	expect(rocCurve(straight, { dropCollinear: false })).toMatchObject({
		falsePositiveRate: [0, 0, 1 / 3, 2 / 3, 1],
		truePositiveRate: [0, 1, 1, 1, 1],
	});
});

it('is none where a class is missing that it has a rate of', () => {
	for (const label of [0, 1]) {
		expect(rocCurve(curveOf([label, label], [0.5, 0.25]))).toMatchObject({ status: 'undefined' });
	}
	expect(precisionRecallCurve(curveOf([0, 0], [0.5, 0.25]))).toMatchObject({ status: 'undefined' });
	expect(precisionRecallCurve(curveOf([1, 1], [0.5, 0.25]))).toMatchObject({ precision: [1, 1, 1] });
});
