import { expect, it } from 'vitest';
import { averagePrecision, rocAuc } from './rank-metrics.ts';
import { curveOf } from './ranking.ts';

it.each([
	['there are no functions', []],
	['there is no vulnerable function', [0, 0]],
] as const)('says why there is none: %s', (reason, labels) => {
	const curve = curveOf(labels, labels);
	for (const outcome of [averagePrecision(curve), rocAuc(curve)]) {
		expect(outcome).toEqual({ status: 'undefined', reason });
	}
});
