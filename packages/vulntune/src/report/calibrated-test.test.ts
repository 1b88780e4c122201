import { expect, it } from 'vitest';
import { groupRows } from '../metrics/bootstrap.ts';
import { type Calibration, calibrated, fitCalibration } from '../metrics/calibrate.ts';
import { calibrationEffect } from '../metrics/calibration-effect.ts';
import { drawnDetector } from '../metrics/testing/drawn-detector.ts';
import { calibratedTest } from './calibrated-test.ts';
import type { ReportData } from './report-data.ts';

const seed = 11;
const resamples = 60;
const valid = drawnDetector(1, 4);
const fitted = fitCalibration(valid.labels, valid.probabilities)!;

/** What the maps make of a detector whose logits are `factor` times the true ones. */
function testOf(factor: number, calibration: Calibration | null, commitOf = (row: number) => `c${row >> 1}`) {
	const { labels, probabilities } = drawnDetector(2, factor);
	const scored = labels.map((label, row) => ({
		...{ id: row, label, probability: probabilities[row]!, commit: commitOf(row) },
	}));
	// one that nobody scored is not judged
	const test = [{ id: 'unscored', label: 1 as const, probability: null, commit: 'c0' }, ...scored];
	const comparison = { rows: [{ evaluation: { bootstrap: { seed, resamples } } }] };
	const found = calibratedTest({ calibration, test, comparison } as unknown as ReportData);
	return { found, labels, probabilities, commits: scored.map(({ commit }) => commit) };
}

const withTemperature = (value: number): Calibration => ({
	...fitted,
	temperature: { value, threshold: 0.5 },
});

it('has the numbers of the table of all metrics, of resamples like its own, and what each map makes of a function', () => {
	const { found, labels, probabilities, commits } = testOf(4, fitted);
	const options = { groups: groupRows(commits), seed, resamples };
	const { before, after } = calibrationEffect(labels, probabilities, fitted, options);
	expect(found!.rows).toEqual([
		{ name: 'as they come', ...before },
		{ name: `temperature ${fitted.temperature.value.toPrecision(3)}`, ...after.temperature },
		{ name: `isotonic map of ${fitted.isotonic.x.length} points`, ...after.isotonic },
	]);
	expect(found!.labels).toEqual(labels);
	for (const method of ['temperature', 'isotonic'] as const) {
		expect(found![method]).toEqual(
			probabilities.map((probability) => calibrated(fitted, method, probability)),
		);
	}
});

it('is nothing where no map lies beside what was trained, or nothing was scored', () => {
	expect(testOf(4, null).found).toBeUndefined();
	const comparison = { rows: [{ evaluation: { bootstrap: { seed, resamples } } }] };
	const none = { calibration: fitted, test: [], comparison } as unknown as ReportData;
	expect(calibratedTest(none)).toBeUndefined();
});

it('says that a temperature is at its bound, in its row and in words', () => {
	const { rows, verdict } = testOf(4, withTemperature(100)).found!;
	expect(rows[1]!.name).toBe('temperature 100, its bound');
	expect(verdict).toContain('The temperature is at its bound of 100');
	expect(testOf(4, fitted).found!.verdict).not.toContain('bound');
});

it.each([
	['lowers', 4, 4, undefined, 'The temperature lowers the calibration error. The isotonic map lowers'],
	['raises', 1, 0.25, undefined, 'The temperature raises the calibration error. The isotonic map changes'],
	[
		'shows no difference',
		1,
		1.02,
		undefined,
		'The temperature changes the calibration error by no difference',
	],
	[
		'can not be told',
		4,
		4,
		() => 'one',
		"Whether the temperature lowers the calibration error can't be told. W",
	],
] as const)('says in words that a map %s', (_, factor, temperature, commitOf, expected) => {
	expect(testOf(factor, withTemperature(temperature), commitOf).found!.verdict).toContain(expected);
});
