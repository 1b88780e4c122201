import { expect, it } from 'vitest';
import { curveOf } from './ranking.ts';
import { calledRows, confusionAt, confusionOf, thresholdMetrics } from './threshold-metrics.ts';

it('keeps the correlation of a perfect detector at 1, whatever its roots are rounded to', () => {
	for (let positives = 1; positives < 60; positives++) {
		for (let negatives = 1; negatives < 60; negatives++) {
			const right = { truePositives: positives, trueNegatives: negatives };
			expect(thresholdMetrics({ ...right, falsePositives: 0, falseNegatives: 0 }).mcc).toBeLessThanOrEqual(1);
			const wrong = { falsePositives: negatives, falseNegatives: positives };
			expect(thresholdMetrics({ ...wrong, truePositives: 0, trueNegatives: 0 }).mcc).toBeGreaterThanOrEqual(
				-1,
			);
		}
	}
});

it('has the rates of the four counts, and 0 for what is none of none', () => {
	const counts = { truePositives: 3, falsePositives: 1, falseNegatives: 2, trueNegatives: 4 };
	const near = (value: number) => expect.closeTo(value, 12);
	expect(thresholdMetrics(counts)).toEqual({
		...{ precision: near(3 / 4), recall: near(3 / 5), f1: near(6 / 9), macroF1: near((6 / 9 + 8 / 11) / 2) },
		...{ accuracy: near(7 / 10), mcc: near(10 / Math.sqrt(4 * 5 * 5 * 6)) },
	});
	const none = { truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 };
	expect(new Set(Object.values(thresholdMetrics(none)))).toEqual(new Set([0]));
});

const labels = [1, 0, 1, 0, 0, 1];
const scores = [0.9, 0.8, 0.7, 0.7, 0.5, 0.3];
const counted = (tp: number, fp: number, fn: number, tn: number) => ({
	...{ truePositives: tp, falsePositives: fp, falseNegatives: fn, trueNegatives: tn },
});

it.each([
	[0.95, 'inclusive', counted(0, 0, 3, 3)],
	[0.75, 'inclusive', counted(1, 1, 2, 2)],
	[0.7, 'inclusive', counted(2, 2, 1, 1)],
	[0.7, 'strict', counted(1, 1, 2, 2)],
	[0.1, 'inclusive', counted(3, 3, 0, 0)],
] as const)('counts what is called vulnerable at %d, %s', (threshold, rule, expected) => {
	expect(confusionAt(curveOf(labels, scores), threshold, rule)).toEqual(expected);
	if (rule === 'strict') return;
	const called = calledRows(scores, threshold)!;
	expect(confusionOf(labels, called, new Float64Array(6).fill(1))).toEqual(expected);
});

it('calls each row by its own threshold, and none without one', () => {
	const called = calledRows(scores, [0.95, 0.8, 0.7, 0.8, 0.1, 0.4])!;
	expect([...called]).toEqual([0, 1, 1, 0, 1, 0]);
	expect(confusionOf(labels, called, [1, 2, 3, 4, 5, 6])).toEqual(counted(3, 7, 7, 4));
	expect(calledRows(scores, null)).toBeUndefined();
});
