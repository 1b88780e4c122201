import { uniform } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { groupRows } from './bootstrap.ts';
import { calibrated, fitCalibration } from './calibrate.ts';
import { calibrationEffect } from './calibration-effect.ts';
import { evaluateScores } from './evaluate-scores.ts';

const rows = 300;
const commits = Array.from({ length: rows }, (_, row) => `commit ${row >> 1}`);

/** Labels by the probability that is true of them, and a detector whose logits are `factor` times those. */
function detector(seed: number, factor: number) {
	const truth = Array.from({ length: rows }, (_, row) => 0.1 + 0.8 * uniform(seed, 1, row));
	const labels = truth.map((probability, row) => Number(uniform(seed, 2, row) < probability));
	const probabilities = truth.map((probability) => 1 / (1 + ((1 - probability) / probability) ** factor));
	return { labels, probabilities };
}

describe('the effect of calibration', () => {
	const valid = detector(1, 4);
	const calibration = fitCalibration(valid.labels, valid.probabilities)!;
	const { labels, probabilities } = detector(2, 4);
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
		const honest = detector(2, 1);
		const map = { ...calibration, temperature: { value: 1, threshold: 0.5 } };
		const { change } = calibrationEffect(honest.labels, honest.probabilities, map, options).after.temperature;
		expect(change).toMatchObject({ low: expect.closeTo(0, 9), high: expect.closeTo(0, 9) });
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
