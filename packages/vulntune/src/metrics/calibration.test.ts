import { describe, expect, it } from 'vitest';
import { brierScore, type CalibrationOptions, expectedCalibrationError } from './calibration.ts';
import type { Outcome } from './outcome.ts';

const labels = [1, 0, 1];
const probabilities = [0.9, 0.2, 0.4];
const near = (value: number) => ({ status: 'ok', value: expect.closeTo(value, 12) });

describe('the Brier score', () => {
	it('is the mean squared distance from the label, by weight', () => {
		expect(brierScore(labels, probabilities)).toEqual(near(0.41 / 3));
		expect(brierScore(labels, probabilities, [1, 2, 0])).toEqual(near(0.09 / 3));
	});

	it('is undefined where nothing counts', () => {
		expect(brierScore([], []).status).toBe('undefined');
		expect(brierScore([1], [0.5], [0]).status).toBe('undefined');
	});
});

describe('the calibration error', () => {
	const error = (y: number[], p: number[], options: CalibrationOptions, weights?: number[]): Outcome =>
		expectedCalibrationError(y, p, options, weights);

	it('adds up by bin how far probabilities lie from what was right', () => {
		expect(error(labels, probabilities, { bins: 2 })).toEqual(near(0.5 / 3));
		expect(error(labels, probabilities, { bins: 2 }, [2, 1, 0])).toEqual(near(0.4 / 3));
	});

	it('puts an edge, 0 and 1 into the bins that they close', () => {
		expect(error([1, 0, 1], [0.5, 1, 0], { bins: 2 })).toEqual(near(2.5 / 3));
		expect(error([0, 1], [1 / 15, 1 / 15 + 1e-9], {})).toEqual(near(0.5 - 5e-10));
	});

	it('takes the confidence in the likelier class where asked', () => {
		expect(error(labels, probabilities, { bins: 2, kind: 'confidence' })).toEqual(near(0.1));
		// 0.5 is taken for not vulnerable, which is wrong here, and 0.9 is right
		expect(error([1, 1], [0.5, 0.9], { bins: 1, kind: 'confidence' })).toEqual(near(0.2));
	});

	it('is undefined where nothing counts', () => {
		expect(error([], [], {}).status).toBe('undefined');
		expect(error([1], [0.5], {}, [0]).status).toBe('undefined');
	});
});
