import { uniform } from '@vulntune/engine/random/streams.ts';
import { describe, expect, test } from 'vitest';
import { bootstrap, groupRows, pairedBootstrap, percentileInterval, ungroupedRows } from './bootstrap.ts';

const meanOf = (values: ArrayLike<number>, weights: Float64Array) => {
	let sum = 0;
	let total = 0;
	for (let row = 0; row < values.length; row++) {
		sum += weights[row]! * values[row]!;
		total += weights[row]!;
	}
	return sum / total;
};

test('every resample draws as many groups as there are, whole', () => {
	const groups = groupRows(['a', 'b', 'a', 'c', 'b']);
	expect(groups.count).toBe(3);
	bootstrap({ groups, seed: 1, resamples: 50 }, 1, (weights) => {
		expect(weights[0]).toBe(weights[2]);
		expect(weights[1]).toBe(weights[4]);
		expect(weights[0]! + weights[1]! + weights[3]!).toBe(3);
		return [0];
	});
});

test('the interval of a mean is about two standard errors on either side', () => {
	const values = Float64Array.from({ length: 500 }, (_, row) => uniform(1, 2, row));
	const groups = ungroupedRows(values.length);
	const means = bootstrap({ groups, seed: 4, resamples: 2000 }, 1, (weights) => [
		meanOf(values, weights),
	])[0]!;
	const interval = percentileInterval(means, groups);
	if (interval.status !== 'ok') throw new Error(interval.reason);
	const mean = meanOf(values, new Float64Array(500).fill(1));
	const error = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / 500;
	expect((interval.high - interval.low) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
	expect((interval.high + interval.low) / 2).toBeCloseTo(mean, 2);
});

test('percentiles are linear between order statistics', () => {
	const values = Float64Array.from({ length: 101 }, (_, index) => 100 - index);
	expect(percentileInterval(values, ungroupedRows(5))).toEqual({ status: 'ok', low: 2.5, high: 97.5 });
});

test('no interval from one group, nor where most resamples leave the statistic undefined', () => {
	expect(percentileInterval(Float64Array.of(1, 2), groupRows(['a', 'a'])).status).toBe('undefined');
	const values = Float64Array.of(1, 2, Number.NaN, Number.NaN, Number.NaN);
	expect(percentileInterval(values, ungroupedRows(4))).toEqual({
		status: 'undefined',
		reason: 'undefined on 3 of 5 resamples',
	});
	expect(percentileInterval(values.subarray(0, 4), ungroupedRows(4)).status).toBe('ok');
	expect(percentileInterval(values.subarray(0, 4), ungroupedRows(4), [2]).status).toBe('undefined');
	expect(percentileInterval(values.subarray(0, 4), ungroupedRows(4), [2, 3]).status).toBe('ok');
});

describe('paired bootstrap', () => {
	const options = { groups: ungroupedRows(200), seed: 2, resamples: 500 };
	const noise = Float64Array.from({ length: 200 }, (_, row) => uniform(1, 3, row) - 0.5);

	test('sees a shift that noise common to both would hide', () => {
		const a = noise.map((value, row) => value * 10 + 0.1 + 0.01 * uniform(1, 4, row));
		const b = noise.map((value) => value * 10);
		const found = pairedBootstrap(options, (weights) => meanOf(a, weights) - meanOf(b, weights));
		if (found.interval.status !== 'ok') throw new Error(found.interval.reason);
		expect(found.interval.low).toBeGreaterThan(0.1);
		expect(found.p).toBe(2 / 501);
	});

	test('finds nothing between equals', () => {
		const found = pairedBootstrap(options, () => 0);
		expect(found).toEqual({ interval: { status: 'ok', low: 0, high: 0 }, p: 1 });
	});

	test('has no p where it has no interval', () => {
		expect(pairedBootstrap(options, () => Number.NaN).p).toBeNull();
	});
});
