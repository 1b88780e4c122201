import { describe, expect, it } from 'vitest';
import { lengthScores } from '../../baselines/length.ts';
import { turnedLength } from './turned-length.ts';

/** Vulnerable functions are the longer ones, and the model knows nothing. */
const texts = Array.from({ length: 60 }, (_, i) => 'x'.repeat(i % 2 === 1 ? 200 + i : 20 + i));
const predictions = texts.map((_, id) => ({
	id,
	label: (id % 2) as 0 | 1,
	probability: ((id * 37) % 61) / 61,
}));
const scoresIn = (direction: 'shorter' | 'longer') =>
	[...lengthScores(texts, direction)].map((length, id) => ({ id, scores: { length } }));
const below = { value: 0.1, low: 0.05, high: 0.2, reason: null };

describe('the baseline of lengths in a study', () => {
	it('is turned where the shorter functions come first and that is worse than chance', () => {
		const turned = turnedLength(below, predictions, scoresIn('shorter'))!;
		expect(turned.before).toBe(0.1);
		expect(turned.rocAuc).toMatchObject({ value: 0.9, low: 0.8, high: 0.95 });
		// every vulnerable function is longer than every other
		const area = 1 + turned.difference.value!;
		expect(area).toBeGreaterThan(0.3);
		expect(area).toBeLessThan(0.7);
	});

	it('stays where that may be chance, where the longer come first, or where nothing is known of it', () => {
		expect(turnedLength({ ...below, high: 0.52 }, predictions, scoresIn('shorter'))).toBeUndefined();
		expect(turnedLength(below, predictions, scoresIn('longer'))).toBeUndefined();
		expect(turnedLength(below, predictions, null)).toBeUndefined();
		expect(
			turnedLength({ ...below, low: null, high: null }, predictions, scoresIn('shorter')),
		).toBeUndefined();
	});

	it('is measured on the functions that the run scored', () => {
		const [first, ...others] = predictions;
		const fewer = turnedLength(below, [{ ...first!, probability: null }, ...others], scoresIn('shorter'))!;
		const alone = turnedLength(below, others, scoresIn('shorter').slice(1))!;
		expect(fewer.difference).toEqual(alone.difference);
	});
});
