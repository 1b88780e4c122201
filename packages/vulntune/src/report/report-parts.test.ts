import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareWithBaselines } from '../evaluation/compare-with-baselines.ts';
import type { Prediction } from '../evaluation/predictions.ts';
import { expectedCalibrationError } from '../metrics/calibration.ts';
import { calibrationBins } from './calibration-bins.ts';
import { mostConfident } from './errors-section.ts';
import { html, trusted } from './html.ts';
import { average, thin } from './thin.ts';
import { weaknessSection } from './weakness-section.ts';

describe('html', () => {
	test('escapes text and attributes, takes markup and lists of it', () => {
		const items = ['<', '"'].map((text) => html`<li title="${text}">${text}</li>`);
		expect(html`<ul>${items}${undefined}${3}${trusted('<hr>')}</ul>`.markup).toBe(
			'<ul><li title="&lt;">&lt;</li><li title="&quot;">&quot;</li>3<hr></ul>',
		);
	});

	test('leaves no character of any text that could open a tag, an attribute or an entity', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'binary' }), (text) => {
				const { markup } = html`${text}`;
				expect(markup.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.toMatch(/[<>"'&]/);
				expect(markup.isWellFormed()).toBe(true);
			}),
		);
	});
});

test('the bins of the diagram are those of the expected calibration error', () => {
	const rows = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1)), {
		minLength: 1,
		maxLength: 60,
	});
	fc.assert(
		fc.property(rows, (pairs) => {
			const probabilities = pairs.map(([probability]) => probability);
			const labels = pairs.map(([, label]) => label);
			const bins = calibrationBins(labels, probabilities);
			expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(pairs.length);
			const error = bins.reduce(
				(sum, { count, meanProbability, positives }) =>
					sum + (count / pairs.length) * Math.abs(meanProbability - positives),
				0,
			);
			const expected = expectedCalibrationError(labels, probabilities, { bins: 15, kind: 'positive' });
			expect(expected.status === 'ok' && Math.abs(error - expected.value)).toBeLessThan(1e-12);
			for (const { positives, low, high } of bins) {
				expect(low).toBeLessThanOrEqual(positives + 1e-12);
				expect(high).toBeGreaterThanOrEqual(positives - 1e-12);
			}
		}),
	);
});

test("Wilson's interval has its textbook values", () => {
	const [bin] = calibrationBins([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], new Array(10).fill(0.5));
	expect(bin?.low).toBeCloseTo(0.0179, 4);
	expect(bin?.high).toBeCloseTo(0.4042, 4);
});

describe('thinning', () => {
	const points = Array.from({ length: 1001 }, (_, x) => ({ x, y: x % 2 }));
	test('keeps both ends and the order', () => {
		const few = thin(points, 11);
		expect(few.map(({ x }) => x)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
		expect(thin(few, 11)).toBe(few);
	});

	test('averages stretches', () => {
		const means = average(points, 300);
		expect(means).toHaveLength(Math.ceil(1001 / 4));
		expect(means[0]).toEqual({ x: 1.5, y: 0.5 });
		expect(means.at(-1)).toEqual({ x: 1000, y: 0 });
		expect(average(points.slice(0, 5), 300)).toHaveLength(5);
	});
});

test('the surest mistakes come first, right and unscored answers not at all', () => {
	const row = (id: string, label: 0 | 1, probability: number | null): Prediction => ({
		id,
		label,
		probability,
	});
	const rows = [
		row('a', 1, 0.3),
		row('b', 1, 0.1),
		row('c', 1, 0.5),
		row('d', 0, 0.5),
		row('e', 0, 0.9),
		row('f', 0, 0.2),
		row('g', 1, null),
		row('a2', 1, 0.1),
	];
	expect(mostConfident(rows, 0.5, 1).map(({ id }) => id)).toEqual(['a2', 'b', 'a']);
	expect(mostConfident(rows, 0.5, 0).map(({ id }) => id)).toEqual(['e', 'd']);
});

describe('recall by weakness', () => {
	/** A vulnerable function of each given weakness, every other one found, and one that is not vulnerable. */
	const sectionOf = (weaknesses: readonly (string | undefined)[], threshold: number | null = 0.5) => {
		const vulnerable = weaknesses.map((weakness, id) => ({
			...{ id, label: 1 as const, text: 'f', probability: id % 2 === 0 ? 0.9 : 0.1, weakness },
		}));
		const rows = [...vulnerable, { id: 'fixed', label: 0 as const, text: 'g', probability: 0.2 }];
		return weaknessSection(
			compareWithBaselines(rows, { threshold, baselines: undefined, resamples: 20 }).rows,
		)?.markup;
	};

	test('counts the functions, the most frequent weakness first', () => {
		const section = sectionOf(['CWE-22', 'CWE-79', 'CWE-79', 'CWE-79', 'CWE-79'])!;
		const cells = [...section.matchAll(/<th scope="row">([\w-]+)<\/th><td>(\d+)<\/td><td>([\d.]+)/g)];
		expect(cells.map(([, ...row]) => row)).toEqual([
			['CWE-79', '4', '0.500'],
			['CWE-22', '1', '1.000'],
		]);
		expect(section).not.toContain('rarer weaknesses');
		expect(section).not.toContain('without width');
	});

	test('says that an interval without width is no certainty', () => {
		// both functions of CWE-79 are found
		expect(sectionOf(['CWE-79', 'CWE-22', 'CWE-79'])).toContain('without width is no certainty');
	});

	test('can be opened beyond the most frequent', () => {
		const section = sectionOf(Array.from({ length: 30 }, (_, id) => `CWE-${id}`))!;
		expect(section).toContain('<summary>6 rarer weaknesses</summary>');
		expect(section.match(/<th scope="row">/g)).toHaveLength(30);
	});

	test('is left out where no weakness is named, or there is no threshold', () => {
		expect(sectionOf([undefined, undefined])).toBeUndefined();
		expect(sectionOf(['CWE-79'], null)).toBeUndefined();
	});
});
