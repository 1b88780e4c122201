import { describe, expect, test } from 'vitest';
import { evaluatePredictions, renderPredictionsReport } from './evaluate-predictions-file.ts';
import type { Prediction } from './predictions.ts';

const predictions: Prediction[] = Array.from({ length: 40 }, (_, row) => ({
	id: row,
	label: row % 2 === 0 ? 1 : 0,
	probability: ((row * 7) % 40) / 40,
	commit: `c${row >> 1}`,
}));

test('with a threshold every metric has a value', () => {
	const { evaluation, groupedBy } = evaluatePredictions(predictions, 'p.jsonl', { threshold: 0.5 });
	expect(groupedBy).toBe('commit');
	expect(evaluation.counts).toEqual({ functions: 40, positives: 20, negatives: 20, groups: 20 });
	expect(evaluation.threshold).toEqual({ value: 0.5 });
	// the row with probability exactly 0.5 is positive
	const called = predictions.filter((prediction) => prediction.probability! >= 0.5);
	const { truePositives, falsePositives } = evaluation.confusion!;
	expect(truePositives + falsePositives).toBe(called.length);
	expect(evaluation.precision.value).toBe(called.filter((row) => row.label === 1).length / called.length);
});

test('without a threshold the metrics that need one say so, and the table too', () => {
	const report = evaluatePredictions(predictions, 'p.jsonl');
	expect(report.evaluation.f1).toEqual({ value: null, reason: 'no validation threshold is known' });
	expect(report.evaluation.f1_oracle.value).not.toBeNull();
	const text = renderPredictionsReport(report);
	expect(text).toMatch(/^F1 +- \(1\) +0\.667 \[0\.667, 0\.667\]$/m);
	expect(text).toMatch(/^f1_oracle +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] /m);
	expect(text).toContain('(1) no validation threshold is known');
});

test('all-positive stands beside, and what the other baselines would need is said', () => {
	const report = evaluatePredictions(predictions, 'p.jsonl', { threshold: 0.5 });
	const [always] = report.baselines;
	expect(always!.name).toBe('all-positive');
	// every other function is vulnerable: precision 1/2, recall 1
	expect(always!.evaluation.f1.value).toBeCloseTo(2 / 3, 12);
	expect(always!.evaluation.rocAuc.value).toBe(0.5);
	expect(report.absentBaselines).toMatch(/length and n-gram .* text/);
	expect(renderPredictionsReport(report)).toContain(report.absentBaselines);
	expect(renderPredictionsReport(report)).toMatch(/value \(95 %\) +all-positive$/m);
});

test('functions that were not scored are counted, and in no metric', () => {
	const missing: Prediction[] = [
		{ id: 'm1', label: 1, probability: null, missing: 'too long' },
		{ id: 'm2', label: 0, probability: null, missing: 'too long' },
	];
	const report = evaluatePredictions([...predictions, ...missing], 'p.jsonl', { threshold: 0.5 });
	expect(report.missing).toEqual({ count: 2, positives: 1 });
	expect(report.evaluation).toEqual(
		evaluatePredictions(predictions, 'p.jsonl', { threshold: 0.5 }).evaluation,
	);
	expect(renderPredictionsReport(report)).toMatch(/^missing +2 +2$/m);
});

test('weaknesses are named as in the evaluation of a run: the first class, no placeholders', () => {
	const cwes = ['CWE-79,CWE-80', 'CWE-79', 'NVD-CWE-noinfo', undefined];
	const classed = predictions.map((row, index) => ({ ...row, cwe: cwes[(index >> 1) % 4] }));
	const { recallByWeakness } = evaluatePredictions(classed, 'p.jsonl', { threshold: 0.5 }).evaluation;
	expect(recallByWeakness?.map(({ weakness, positives }) => [weakness, positives])).toEqual([['CWE-79', 10]]);
});

test('one class is no failure', () => {
	const positives = predictions.filter((prediction) => prediction.label === 1);
	const report = evaluatePredictions(positives, 'p.jsonl', { threshold: 0.5 });
	expect(report.evaluation.rocAuc).toEqual({ value: null, reason: 'every function is vulnerable' });
	expect(renderPredictionsReport(report)).toContain('every function is vulnerable');
});

test('without commits the report says what was drawn', () => {
	const alone = predictions.map(({ id, label, probability }) => ({ id, label, probability }));
	const report = evaluatePredictions(alone, 'p.jsonl');
	expect(report.groupedBy).toBe('function');
	expect(report.evaluation.counts.groups).toBe(40);
	expect(renderPredictionsReport(report)).toContain('the file names no commits');
});

test("a file's own threshold counts where none is given, and is said to be its own", () => {
	const own = predictions.map((row) => ({ ...row, threshold: 0.5 }));
	const report = evaluatePredictions(own, 'p.jsonl');
	expect(report.thresholdFrom).toBe('file');
	const given = evaluatePredictions(predictions, 'p.jsonl', { threshold: 0.5 });
	expect(report.evaluation).toEqual(given.evaluation);
	expect(renderPredictionsReport(report)).toContain('the one that the file names');
	expect(renderPredictionsReport(given)).not.toContain('the one that the file names');

	const other = evaluatePredictions(own, 'p.jsonl', { threshold: 0.25 });
	expect([other.thresholdFrom, other.evaluation.threshold.value]).toEqual(['option', 0.25]);
	expect(evaluatePredictions(predictions, 'p.jsonl').thresholdFrom).toBeNull();
});

test('predictions of two thresholds are refused, unless one is given', () => {
	const mixed = predictions.map((row, index) => ({ ...row, threshold: index < 20 ? 0.5 : 0.4 }));
	expect(() => evaluatePredictions(mixed, 'p.jsonl')).toThrow(/p\.jsonl: .*2 thresholds: 0\.5, 0\.4/);
	expect(evaluatePredictions(mixed, 'p.jsonl', { threshold: 0.5 }).thresholdFrom).toBe('option');
});

test('a threshold outside 0 to 1 is refused', () => {
	for (const threshold of [-0.1, 1.1, Number.NaN]) {
		expect(() => evaluatePredictions(predictions, 'p', { threshold })).toThrow(/--threshold: .*from 0 to 1/);
	}
});

test('the report is plain JSON', () => {
	const report = evaluatePredictions(predictions, 'p.jsonl', { threshold: 0.5 });
	expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('pairs of a function and its fix are measured where the file names commits and functions', () => {
	const named = predictions.map((row) => ({ ...row, functionName: 'f' }));
	const { pairs } = evaluatePredictions(named, 'p.jsonl', { threshold: 0.5 }).evaluation;
	expect(pairs).toMatchObject({ count: 20 });
	const both = predictions.filter(({ label, probability }, row) => {
		return label === 1 && probability! >= 0.5 && predictions[row + 1]!.probability! < 0.5;
	});
	expect(pairs!.correct.value).toBe(both.length / 20);
	expect(evaluatePredictions(predictions, 'p.jsonl').evaluation.pairs).toBeNull();
});

describe('against other predictions', () => {
	const shifted = predictions.map((row) => ({ ...row, probability: row.probability! / 2, threshold: 0.25 }));
	const other = { predictions: shifted.toReversed(), file: 'other.jsonl' };

	test('the same ranking makes no difference, in whatever order the lines are', () => {
		const report = evaluatePredictions(predictions, 'p.jsonl', { threshold: 0.5, against: other });
		const { differences, evaluation, verdict } = report.against!;
		expect(differences.rocAuc).toMatchObject({ value: 0 });
		expect(differences.f1).toMatchObject({ value: 0 });
		expect(evaluation.threshold).toEqual({ value: 0.25 });
		expect(verdict).toContain('does not beat other.jsonl');
		const text = renderPredictionsReport(report);
		expect(text).toMatch(/p\.jsonl minus +ROC AUC/);
		expect(text).toContain('other.jsonl');
	});

	test('a better one beats it', () => {
		const right = predictions.map((row) => ({ ...row, probability: row.label === 1 ? 0.9 : 0.1 }));
		const report = evaluatePredictions(right, 'right.jsonl', { threshold: 0.5, against: other });
		const { rocAuc } = report.against!.differences;
		expect(rocAuc.value! > 0 && 'low' in rocAuc && rocAuc.low! > 0).toBe(true);
		expect(report.against!.verdict).toContain('In ROC AUC right.jsonl beats other.jsonl.');
	});

	test('other functions are refused', () => {
		const compare = (changed: readonly object[]) => () =>
			evaluatePredictions(predictions, 'p.jsonl', {
				against: { predictions: changed as typeof predictions, file: 'other.jsonl' },
			});
		const [first, ...rest] = shifted;
		for (const changed of [
			rest,
			[...shifted, { ...first!, id: 'more' }],
			[{ ...first!, id: 'else' }, ...rest],
			[{ ...first!, label: 1 - first!.label }, ...rest],
			[{ ...first!, probability: null, missing: 'too long' }, ...rest],
		]) {
			expect(compare(changed)).toThrow(expect.objectContaining({ code: 'PREDICTIONS_DIFFER' }));
		}
	});
});

test('out-of-fold lines are measured at the thresholds of their folds, and resampled by cluster', () => {
	const folds = predictions.map((row, index) => ({
		...row,
		fold: index < 20 ? 1 : 2,
		threshold: index < 20 ? 0.5 : 0.4,
		cluster: `${index >> 3}`,
	}));
	const report = evaluatePredictions(folds, 'p.jsonl');
	expect(report.groupedBy).toBe('cluster');
	expect(report.evaluation.counts.groups).toBe(5);
	const called = folds.filter(
		({ label, probability, threshold }) => label === 1 && probability! >= threshold,
	);
	expect(report.evaluation.confusion!.truePositives).toBe(called.length);
	const mixed = folds.map((row, index) => ({ ...row, threshold: index / 100 }));
	expect(() => evaluatePredictions(mixed, 'p.jsonl')).toThrow(/40 thresholds/);
});

test('pairs are counted, and an interval without width is called no certainty', () => {
	const paired = predictions.map((prediction) => ({ ...prediction, functionName: 'f' }));
	const render = (rows: Prediction[]) =>
		renderPredictionsReport(evaluatePredictions(rows, 'p.jsonl', { threshold: 0.5 }));
	expect(render(paired)).toMatch(/^pairs +20 +20$/m);
	expect(render(predictions)).not.toMatch(/^pairs /m);
	expect(render(predictions)).not.toContain('without width');
	const found = predictions.map((prediction) => ({
		...prediction,
		probability: prediction.label === 1 ? 0.9 : prediction.probability,
	}));
	expect(render(found)).toMatch(/^recall +1\.000 \[1\.000, 1\.000\] /m);
	expect(render(found)).toContain('without width is no certainty');
});
