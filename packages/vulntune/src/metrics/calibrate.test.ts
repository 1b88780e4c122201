import '../../../../tests/properties.ts';
import { uniform } from '@vulntune/engine/random/streams.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calibrated, describeTemperatureBound, fitCalibration } from './calibrate.ts';

const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));
/** Rows whose labels have the chance that a logit says, told by a detector that is `factor` times as sure. */
const truths = Array.from({ length: 4000 }, (_, row) => 4 * uniform(1, 1, row) - 2);
const labels = truths.map((logit, row) => (uniform(1, 2, row) < sigmoid(logit) ? 1 : 0));
const told = (factor: number) => truths.map((logit) => sigmoid(factor * logit));

describe('a temperature', () => {
	it.each([0.5, 1, 3])('finds how many times too sure a detector is: %d', (factor) => {
		const found = fitCalibration(labels, told(factor))!.temperature.value / factor;
		expect(Math.abs(found - 1)).toBeLessThan(0.15);
		expect(found).toBeCloseTo(fitCalibration(labels, told(1))!.temperature.value, 5);
	});

	it('is where the log loss is least', () => {
		const scores = told(3);
		const { value } = fitCalibration(labels, scores)!.temperature;
		const loss = (temperature: number) =>
			scores.reduce((sum, score, row) => {
				const p = sigmoid(Math.log(score / (1 - score)) / temperature);
				return sum - Math.log(labels[row] === 1 ? p : 1 - p);
			}, 0);
		expect(loss(value)).toBeLessThan(loss(value * 1.001));
		expect(loss(value)).toBeLessThan(loss(value * 0.999));
	});

	it('leaves the ranking and the calls as they are', () => {
		const scores = told(3);
		const calibration = fitCalibration(labels, scores)!;
		const after = scores.map((score) => calibrated(calibration, 'temperature', score));
		const order = (values: readonly number[]) =>
			[...values.keys()].sort((a, b) => values[a]! - values[b]! || a - b);
		expect(order(after)).toEqual(order(scores));
		const low = Math.min(...scores.filter((_, row) => after[row]! >= calibration.temperature.threshold));
		expect(scores.filter((score) => score >= low).length).toBe(
			after.filter((score) => score >= calibration.temperature.threshold).length,
		);
	});

	it('says what it means to lie at an end of what is searched, and only there', () => {
		const temperatureOf = (own: readonly number[], scores: readonly number[]) =>
			fitCalibration(own, scores)!.temperature.value;
		// ranked without a mistake, but all above one half, of which most are wrong
		const above = temperatureOf([0, 0, 0, 1], [0.6, 0.7, 0.8, 0.9]);
		expect(above).toBeCloseTo(100, 4);
		expect(describeTemperatureBound(above)).toContain('at its bound of 100');
		const parted = temperatureOf([0, 0, 1, 1], [0.3, 0.4, 0.6, 0.7]);
		expect(parted).toBeCloseTo(0.01, 6);
		expect(describeTemperatureBound(parted)).toContain('at its bound of 0.01');
		for (const value of [temperatureOf(labels, told(3)), 0.011, 99]) {
			expect(describeTemperatureBound(value)).toBeUndefined();
		}
	});

	it('takes certain probabilities', () => {
		const calibration = fitCalibration([1, 0, 1, 0], [1, 0, 0, 1])!;
		expect(Number.isFinite(calibration.temperature.value)).toBe(true);
		expect(calibrated(calibration, 'temperature', 1)).toBeCloseTo(0.5, 1);
	});
});

describe('the isotonic map', () => {
	it('pools what is out of order, and is linear between its points', () => {
		const calibration = fitCalibration([0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.9])!;
		expect(calibration.isotonic).toMatchObject({ x: [0.1, 0.2, 0.3, 0.6, 0.9], y: [0, 0.5, 0.5, 1, 1] });
		const map = (probability: number) => calibrated(calibration, 'isotonic', probability);
		for (const [at, value] of [
			[0, 0],
			[0.1, 0],
			[0.15, 0.25],
			[0.25, 0.5],
			[0.45, 0.75],
			[0.375, 0.625],
			[0.525, 0.875],
			[1, 1],
		] as const) {
			expect(map(at)).toBeCloseTo(value, 12);
		}
	});

	it('is constant beyond its ends, whatever stands there', () => {
		const calibration = fitCalibration([0, 1, 0, 0, 1, 1, 0], [0.2, 0.2, 0.2, 0.4, 0.8, 0.8, 0.8])!;
		const map = (probability: number) => calibrated(calibration, 'isotonic', probability);
		expect(map(0)).toBeCloseTo(0.25, 12);
		expect(map(1)).toBeCloseTo(2 / 3, 12);
	});

	it('never falls, and has the mean of the labels', () => {
		const row = fc.record({ label: fc.integer({ min: 0, max: 1 }), score: fc.integer({ min: 0, max: 12 }) });
		fc.assert(
			fc.property(fc.array(row, { minLength: 2, maxLength: 40 }), (rows) => {
				const own = rows.map(({ label }) => label);
				const scores = rows.map(({ score }) => score / 12);
				const calibration = fitCalibration(own, scores);
				if (new Set(own).size === 1) {
					expect(calibration).toBeUndefined();
					return;
				}
				const after = scores.map((score) => calibrated(calibration!, 'isotonic', score));
				for (const [a, first] of scores.entries()) {
					for (const [b, second] of scores.entries()) {
						if (first <= second) expect(after[a]!).toBeLessThanOrEqual(after[b]! + 1e-12);
					}
				}
				const mean = (values: readonly number[]) =>
					values.reduce((sum, value) => sum + value, 0) / values.length;
				expect(mean(after)).toBeCloseTo(mean(own), 10);
			}),
		);
	});
});
