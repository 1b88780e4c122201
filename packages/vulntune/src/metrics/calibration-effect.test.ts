import { describe, expect, it } from 'vitest';
import { groupRows, pairedBootstrap } from './bootstrap.ts';
import { calibrated, fitCalibration } from './calibrate.ts';
import { expectedCalibrationError } from './calibration.ts';
import { calibrationEffect } from './calibration-effect.ts';
import { evaluateScores } from './evaluate-scores.ts';
import { drawnDetector } from './testing/drawn-detector.ts';

const commits = Array.from({ length: 300 }, (_, row) => `commit ${row >> 1}`);

describe('the effect of calibration', () => {
	const valid = drawnDetector(1, 4);
	const calibration = fitCalibration(valid.labels, valid.probabilities)!;
	const { labels, probabilities } = drawnDetector(2, 4);
	const options = { groups: groupRows(commits), seed: 3, resamples: 200 };
	const { before, after } = calibrationEffect(labels, probabilities, calibration, options);

	it('has the values and intervals that an evaluation has, before and behind each map', () => {
		const evaluate = (scores: readonly number[]) => {
			const { ece, brier } = evaluateScores({
				labels,
				scores,
				groups: commits,
				threshold: 0.5,
				seed: 3,
				resamples: 200,
			});
			return { ece, brier };
		};
		expect(before).toEqual(evaluate(probabilities));
		for (const method of ['temperature', 'isotonic'] as const) {
			const scores = probabilities.map((probability) => calibrated(calibration, method, probability));
			expect(after[method]).toMatchObject({ probabilities: scores, ...evaluate(scores) });
		}
	});

	it('is a change for the better where the detector was too sure of itself, and none that shows where it was not', () => {
		for (const method of ['temperature', 'isotonic'] as const) {
			const { ece, change } = after[method];
			expect(change.value).toBeCloseTo(ece.value! - before.ece.value!, 12);
			expect((change as { high: number }).high).toBeLessThan(0);
		}
		const honest = drawnDetector(2, 1);
		const map = { ...calibration, temperature: { value: 1, threshold: 0.5 } };
		const { change } = calibrationEffect(honest.labels, honest.probabilities, map, options).after.temperature;
		expect(change).toMatchObject({ low: expect.closeTo(0, 9), high: expect.closeTo(0, 9) });
	});

	it('is measured on the resamples that the calibration errors themselves are measured on', () => {
		for (const method of ['temperature', 'isotonic'] as const) {
			const { probabilities: scores, change } = after[method];
			const errorOf = (of: readonly number[], weights: Float64Array) => {
				const error = expectedCalibrationError(labels, of, { kind: 'positive' }, weights);
				return error.status === 'ok' ? error.value : Number.NaN;
			};
			const { interval } = pairedBootstrap(
				options,
				(weights) => errorOf(scores, weights) - errorOf(probabilities, weights),
			);
			expect(interval.status).toBe('ok');
			const { low, high } = interval as { low: number; high: number };
			expect(change).toMatchObject({ low, high });
		}
	});

	it('has no interval where all rows are of one commit, and says why', () => {
		const one = { ...options, groups: groupRows(commits.map(() => 'one')) };
		const effect = calibrationEffect(labels, probabilities, calibration, one);
		expect(effect.before.ece).toMatchObject({ value: before.ece.value, low: null });
		expect(effect.after.isotonic.change).toMatchObject({
			low: null,
			reason: expect.stringContaining('two groups'),
		});
	});
});
