import { uniform } from '@vulntune/engine/random/streams.ts';
import { describe, expect, test } from 'vitest';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import { pairRows } from '../data/pair-rows.ts';
import { textTable } from '../terminal/text-table.ts';
import { compareWithBaselines, type EvaluatedRow } from './compare-with-baselines.ts';
import { renderComparison, withoutThreshold } from './render-comparison.ts';
import { verdict } from './verdict.ts';

/** Vulnerable and fixed functions in pairs that no baseline tells apart; `skill` of the model from 0 to 1. */
function rowsOf(count: number, skill: number, seed = 1): EvaluatedRow[] {
	return Array.from({ length: count }, (_, row) => {
		const label = row % 2 === 0 ? 1 : 0;
		const noise = uniform(seed, 1, row);
		const name = String.fromCharCode(
			...Array.from({ length: 12 }, (_, i) => 97 + Math.floor(26 * uniform(seed, 2, 12 * row + i))),
		);
		return {
			id: row,
			label,
			text: `void ${name}() { ${'x++; '.repeat(1 + Math.floor(20 * uniform(seed, 3, row)))}}`,
			probability: skill * label * 0.99 + (1 - skill) * noise,
			group: `commit ${row >> 1}`,
			functionName: `function ${row >> 1}`,
		};
	});
}

const baselines = fitBaselines(rowsOf(80, 0, 5), rowsOf(60, 0, 6), {
	features: { shortest: 3, longest: 3, hashBits: 12 },
});
const options = { baselines, threshold: 0.5, resamples: 300 };

describe('comparison', () => {
	const good = compareWithBaselines(rowsOf(200, 0.4), options);

	test('has a row for the model and each baseline, with all metrics', () => {
		expect(good.rows.map((row) => row.name)).toEqual(['model', 'all-positive', 'length', 'ngram']);
		const [model, everything, length] = good.rows;
		expect(model!.against).toBeNull();
		expect(everything!.evaluation.recall.value).toBe(1);
		expect(everything!.evaluation.f1.value).toBeCloseTo(2 / 3, 12);
		expect(everything!.evaluation.rocAuc).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
		expect(length!.evaluation.brier).toEqual({ value: null, reason: 'the score is not a probability' });
		expect(length!.evaluation.threshold).toEqual({ value: baselines.length.threshold });
		for (const row of good.rows) expect(row.evaluation.pairs?.count).toBe(100);
	});

	test('says that a good model beats the baselines', () => {
		for (const { against } of good.rows.slice(1)) {
			for (const difference of [against!.rocAuc, against!.f1]) {
				if (difference.value === null || difference.low === null) throw new Error(difference.reason);
				expect(difference.low).toBeGreaterThan(0);
				expect(difference.p!).toBeLessThan(0.05);
			}
		}
		expect(good.verdict).toBe(
			'In ROC AUC model beats all-positive, length and ngram. ' +
				'In F1 at the validation threshold model beats all-positive, length and ngram. ' +
				"What decides are 95 % intervals: for ROC AUC DeLong's, which takes functions for independent, for F1 by a " +
				'bootstrap over fix commits.',
		);
	});

	test('a ranking without mistake beats a constant score, unless there are too few functions', () => {
		const perfect = compareWithBaselines(rowsOf(200, 1), options);
		expect(perfect.rows[0]!.evaluation.rocAuc).toMatchObject({ value: 1, low: null });
		expect(perfect.verdict).toContain('In ROC AUC model beats all-positive, length and ngram');
		const few = compareWithBaselines(rowsOf(4, 1), options);
		expect(few.rows[1]!.against!.rocAuc).toMatchObject({ value: 0.5, low: expect.closeTo(-0.13, 2) });
	});

	test('says that noise does not beat them', () => {
		const noise = compareWithBaselines(rowsOf(200, 0), options);
		expect(noise.verdict).toContain('In ROC AUC model does not beat all-positive, length and ngram');
		expect(noise.verdict).toContain('is worse than all-positive');
	});

	test('measures everyone on the functions that the model scored, and counts the others', () => {
		const rows = rowsOf(200, 0.4).map((row, index) => (index < 30 ? { ...row, probability: null } : row));
		const found = compareWithBaselines(rows, options);
		expect(found.missing).toEqual({ count: 30, positives: 15 });
		for (const row of found.rows) {
			expect(row.evaluation.counts.functions).toBe(170);
			expect(row.missing).toBe(30);
		}
		const text = renderComparison(found);
		expect(text).toContain('30 functions (15 vulnerable) were not scored');
		expect(text).toMatch(/^missing +30 +30 +30 +30$/m);
	});

	test('reports one class without failing', () => {
		const positives = rowsOf(40, 0.4).filter((row) => row.label === 1);
		const found = compareWithBaselines(positives, options);
		expect(found.rows[0]!.evaluation.rocAuc).toEqual({ value: null, reason: 'every function is vulnerable' });
		expect(found.verdict).toContain(
			'In ROC AUC model cannot be compared with all-positive, length and ngram',
		);
		expect(renderComparison(found)).toContain('every function is vulnerable');
	});

	test('names the function whose probability is none', () => {
		const rows = rowsOf(4, 0.5);
		const broken = (probability: number) =>
			rows.map((row, index) => (index === 2 ? { ...row, probability } : row));
		expect(() => compareWithBaselines(broken(Number.NaN), options)).toThrow(/row 2: .*NaN/);
		expect(() => compareWithBaselines(broken(1.5), options)).toThrow(/row 2: .*from 0 to 1, found 1.5/);
	});

	test('is plain JSON, and the same each time', () => {
		expect(JSON.parse(JSON.stringify(good))).toEqual(good);
		expect(compareWithBaselines(rowsOf(200, 0.4), options)).toEqual(good);
	});

	test('shows recall by weakness, the ten most frequent, and which metrics are better low', () => {
		const rows = rowsOf(120, 0.4).map((row, index) => ({
			...row,
			weakness: index < 20 ? 'CWE-79' : `CWE-${index >> 1}`,
		}));
		const text = renderComparison(compareWithBaselines(rows, options));
		expect(text).toMatch(/^recall by weakness +vulnerable +model +all-positive +length +ngram$/m);
		expect(text).toMatch(/^CWE-79 +10 +\d\.\d{3} \[.*1\.000 \[1\.000, 1\.000\]/m);
		expect(text).toContain('and 41 rarer; --json has all');
		expect(text).toMatch(/^Brier score ↓ /m);
		expect(text).toMatch(/^recall {2,}/m);
		expect(renderComparison(good)).not.toContain('recall by weakness');
	});

	test('says that there is no threshold, and why', () => {
		const found = compareWithBaselines(rowsOf(40, 0.4), { ...options, threshold: null });
		expect(renderComparison(found)).toContain(withoutThreshold);
		expect(renderComparison(good)).not.toContain(withoutThreshold);
	});

	test('is drawn in aligned columns', () => {
		const lines = renderComparison(good).split('\n');
		const head = lines.findIndex((line) => line.includes('all-positive'));
		expect(lines[head]).toMatch(/^ +model +all-positive +length +ngram$/);
		expect(lines[head + 2]).toMatch(/^ROC AUC +0\.\d{3} \[0\.\d{3}, \d\.\d{3}\] +0\.500 \[0\.500, 0\.500\]/);
		expect(lines[head]!.length).toBe(lines[head + 2]!.length);
		expect(lines.at(-1)).toBe(good.verdict);
	});
});

test('a verdict tells better, equal, worse and unknown apart', () => {
	const difference = (low: number, high: number) => ({ value: (low + high) / 2, low, high, p: 0.5 });
	const reason = 'the variance of the difference is 0';
	const differences = [
		{ baseline: 'a', rocAuc: difference(0.1, 0.2), f1: difference(-0.1, 0) },
		{ baseline: 'b', rocAuc: difference(-0.1, 0.1), f1: difference(0, 0.1) },
		{
			baseline: 'c',
			rocAuc: difference(-0.2, -0.1),
			f1: { value: 0, low: null, high: null, p: null, reason },
		},
		{ baseline: 'd', rocAuc: { value: null, reason }, f1: difference(0, 0) },
	] as const;
	const found = verdict('m', differences, 'function');
	expect(found).toBe(
		'In ROC AUC m beats a, does not beat b (no difference that these data can show), is worse than c and ' +
			'cannot be compared with d. In F1 at the validation threshold m does not beat a, b, c and d (no difference ' +
			"that these data can show). What decides are 95 % intervals: for ROC AUC DeLong's, which takes functions for " +
			'independent, for F1 by a bootstrap over functions.',
	);
	expect(verdict('m', differences, 'cluster')).toMatch(
		/What decides are 95 % intervals by a bootstrap over groups of projects and near-duplicates, for ROC AUC too, not DeLong's\.$/,
	);
});

test('pairs are one vulnerable and one fixed function of a name in a commit', () => {
	const row = (label: 0 | 1, group?: string, functionName?: string) => ({ label, group, functionName });
	const rows = [
		...[row(0, 'c', 'f'), row(1, 'c', 'f'), row(1, 'c', 'g'), row(1, 'd', 'f')],
		...[row(0, 'd', 'h'), row(1, 'e', 'i'), row(0, 'e', 'i'), row(0, 'e', 'i'), row(1), row(0)],
	];
	expect(pairRows(rows)).toEqual([[1, 0]]);
});

test('a table aligns its columns', () => {
	expect(
		textTable([
			['', 'a'],
			['long name', '0.5 é'],
			['x', '10'],
		]),
	).toBe(['               a', '---------  -----', 'long name  0.5 é', 'x             10'].join('\n'));
});
