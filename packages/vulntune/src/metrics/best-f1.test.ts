import { expect, it } from 'vitest';
import { bestF1Threshold, validationThreshold } from './best-f1.ts';
import { curveOf } from './ranking.ts';

it('takes the smallest of the thresholds with the same F1', () => {
	// all are found at 0.25 with precision 1/2, half of them at 1 with precision 1: F1 2/3 both times
	const best = bestF1Threshold(curveOf([1, 0, 0, 1], [1, 0.75, 0.5, 0.25]));
	expect(best).toMatchObject({ status: 'ok', threshold: 0.25, index: 0 });
});

it('has none where nothing is vulnerable, and validation has none where one class is missing', () => {
	expect(bestF1Threshold(curveOf([0, 0], [0.5, 0.25]))).toMatchObject({ status: 'undefined' });
	for (const label of [0, 1]) expect(validationThreshold([label, label], [0.5, 0.25])).toBeNull();
	expect(validationThreshold([0, 1], [0.25, 0.5])).toBe(0.5);
});
