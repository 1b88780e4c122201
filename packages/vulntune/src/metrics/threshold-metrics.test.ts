import { expect, it } from 'vitest';
import { thresholdMetrics } from './threshold-metrics.ts';

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
