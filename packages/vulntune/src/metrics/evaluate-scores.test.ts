import { VulntuneError } from '@vulntune/engine';
import { uniform } from '@vulntune/engine/random/streams.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { largestF1, validationThreshold } from './best-f1.ts';
import { brierScore, expectedCalibrationError } from './calibration.ts';
import { evaluateScores } from './evaluate-scores.ts';
import { averagePrecision, recallAtFalsePositiveRate, rocAuc } from './rank-metrics.ts';
import { countCurve, curveOf, rankScores } from './ranking.ts';
import { confusionAt } from './threshold-metrics.ts';

/** Rows of a detector with some skill: commits of two functions, one of them vulnerable. */
function rowsOf(count: number, seed = 1) {
	const labels = Array.from({ length: count }, (_, row) => row % 2);
	const scores = labels.map(
		(label, row) => 0.7 * uniform(seed, 9, row) + 0.3 * label * uniform(seed, 10, row),
	);
	const groups = labels.map((_, row) => `commit ${row >> 1}`);
	return { labels, scores, groups, ids: labels.map((_, row) => `f${row}`) };
}

describe('counting rows with weights', () => {
	const row = fc.record({
		label: fc.integer({ min: 0, max: 1 }),
		score: fc.integer({ min: 0, max: 8 }).map((step) => step / 8),
		weight: fc.integer({ min: 0, max: 3 }),
	});

	test('equals repeating them', () => {
		fc.assert(
			fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
				const labels = rows.map((item) => item.label);
				const scores = rows.map((item) => item.score);
				const weights = rows.map((item) => item.weight);
				const repeated = rows.flatMap((item) => Array.from({ length: item.weight }, () => item));
				const weighted = countCurve(rankScores(scores), labels, weights);
				const repeatedLabels = repeated.map((item) => item.label);
				const repeatedScores = repeated.map((item) => item.score);
				const plain = curveOf(repeatedLabels, repeatedScores);
				expect(rocAuc(weighted)).toEqual(rocAuc(plain));
				expect(averagePrecision(weighted)).toEqual(averagePrecision(plain));
				expect(largestF1(weighted)).toBe(largestF1(plain));
				expect(recallAtFalsePositiveRate(weighted, 0.3)).toEqual(recallAtFalsePositiveRate(plain, 0.3));
				expect(confusionAt(weighted, 0.5)).toEqual(confusionAt(plain, 0.5));
				for (const [found, expected] of [
					[brierScore(labels, scores, weights), brierScore(repeatedLabels, repeatedScores)],
					[
						expectedCalibrationError(labels, scores, {}, weights),
						expectedCalibrationError(repeatedLabels, repeatedScores),
					],
				] as const) {
					expect(found.status).toBe(expected.status);
					if (found.status === 'ok' && expected.status === 'ok') {
						expect(found.value).toBeCloseTo(expected.value, 12);
					}
				}
			}),
		);
	});
});

test('every metric has a value inside its interval', () => {
	const rows = rowsOf(400);
	const pairs = Array.from({ length: 200 }, (_, pair) => [2 * pair + 1, 2 * pair] as const);
	const weaknesses = rows.labels.map((_, row) =>
		row % 6 === 1 ? 'CWE-79' : row % 6 === 3 ? 'CWE-22' : null,
	);
	const found = evaluateScores({ ...rows, threshold: 0.4, seed: 3, pairs, weaknesses });
	const { f1, precision, recall, rocAuc: auc, brier, ece, mcc, accuracy, vdS, averagePrecision: ap } = found;
	const shares = found.pairs!;
	const metrics = [
		...[f1, precision, recall, auc, brier, ece, mcc, accuracy, vdS, ap, found.macroF1, found.f1_oracle],
		...Object.values(found.recallAtFalsePositiveRate),
		...[shares.correct, shares.bothBenign, shares.bothVulnerable, shares.reversed, shares.ranking],
		shares.correctMinusReversed,
		...found.recallByWeakness!.map((item) => item.recall),
	];
	for (const metric of metrics) {
		if (metric.value === null || metric.low === null) throw new Error(metric.reason);
		expect(metric.low).toBeLessThanOrEqual(metric.value + 0.05);
		expect(metric.high).toBeGreaterThanOrEqual(metric.value - 0.05);
		expect(metric.high).toBeGreaterThan(metric.low);
	}
	expect(found.counts).toEqual({ functions: 400, positives: 200, negatives: 200, groups: 200 });
	const { truePositives, falsePositives, falseNegatives, trueNegatives } = found.confusion!;
	expect(recall.value).toBe(truePositives / 200);
	expect(truePositives + falsePositives + falseNegatives + trueNegatives).toBe(400);
	expect(
		shares.correct.value! + shares.bothBenign.value! + shares.bothVulnerable.value! + shares.reversed.value!,
	).toBeCloseTo(1, 12);
	expect(found.f1_oracle.value!).toBeGreaterThanOrEqual(f1.value!);
	expect(found.recallByWeakness!.map(({ weakness, positives }) => [weakness, positives])).toEqual([
		['CWE-22', 67],
		['CWE-79', 67],
	]);
});

test('equal seeds give equal intervals, other seeds other ones', () => {
	const rows = { ...rowsOf(100), threshold: 0.5 };
	expect(evaluateScores({ ...rows, seed: 5 })).toEqual(evaluateScores({ ...rows, seed: 5 }));
	expect(evaluateScores({ ...rows, seed: 6 }).f1).not.toEqual(evaluateScores({ ...rows, seed: 5 }).f1);
});

test('rows of a commit are drawn together: copies of a function narrow nothing', () => {
	const rows = rowsOf(80);
	const fourfold = <T>(values: T[]) => values.flatMap((value) => [value, value, value, value]);
	const copied = {
		labels: fourfold(rows.labels),
		scores: fourfold(rows.scores),
		groups: fourfold(rows.groups),
		threshold: 0.4,
		seed: 1,
	};
	const once = evaluateScores({ ...rows, threshold: 0.4, seed: 1 });
	expect(evaluateScores(copied).f1).toEqual(once.f1);
	expect(evaluateScores({ ...copied, groups: undefined }).f1).not.toEqual(once.f1);
});

test('one class is undefined with a reason, and no failure', () => {
	const scores = [0.2, 0.6, 0.9];
	const negatives = evaluateScores({ labels: [0, 0, 0], scores, threshold: 0.5, seed: 1 });
	for (const metric of [
		...[negatives.rocAuc, negatives.averagePrecision, negatives.f1, negatives.precision, negatives.recall],
		...[negatives.mcc, negatives.macroF1, negatives.vdS, negatives.f1_oracle],
		...Object.values(negatives.recallAtFalsePositiveRate),
	]) {
		expect(metric).toMatchObject({ value: null, reason: 'there is no vulnerable function' });
	}
	expect(negatives.accuracy.value).toBeCloseTo(1 / 3, 15);
	const positives = evaluateScores({ labels: [1, 1, 1], scores, threshold: 0.5, seed: 1 });
	expect(positives.rocAuc).toEqual({ value: null, reason: 'every function is vulnerable' });
	expect(positives.mcc).toEqual({ value: null, reason: 'every function is vulnerable' });
	expect(positives.recall.value).toBeCloseTo(2 / 3, 15);
	const none = evaluateScores({ labels: [], scores: [], threshold: null, seed: 1 });
	expect(none.rocAuc).toEqual({ value: null, reason: 'there are no functions' });
	expect(none.brier).toEqual({ value: null, reason: 'there are no functions' });
});

test('without a threshold only what needs none has a value', () => {
	const found = evaluateScores({ ...rowsOf(60), threshold: null, seed: 1 });
	for (const metric of [
		found.f1,
		found.precision,
		found.recall,
		found.mcc,
		found.accuracy,
		found.threshold,
	]) {
		expect(metric).toEqual({ value: null, reason: 'no validation threshold is known' });
	}
	expect(found.confusion).toBeNull();
	expect(found.rocAuc.value).not.toBeNull();
	expect(found.f1_oracle.value).not.toBeNull();
});

test('a separated ranking has no DeLong interval, constant scores have', () => {
	const labels = [0, 0, 0, 1, 1, 1];
	const separated = evaluateScores({
		labels,
		scores: [0.1, 0.2, 0.3, 0.7, 0.8, 0.9],
		threshold: 0.5,
		seed: 1,
	});
	expect(separated.rocAuc).toMatchObject({ value: 1, low: null, high: null });
	const constant = evaluateScores({ labels, scores: labels.map(() => 1), threshold: 0.5, seed: 1 });
	expect(constant.rocAuc).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
});

test('a score that is no number names its function', () => {
	const rows = { ...rowsOf(4), threshold: 0.5, seed: 1 };
	rows.scores[2] = Number.NaN;
	expect(() => evaluateScores(rows)).toThrow(VulntuneError);
	expect(() => evaluateScores(rows)).toThrow(/row f2: .*NaN/);
	expect(() => evaluateScores({ labels: [0, 2], scores: [0, 1], threshold: 0, seed: 1 })).toThrow(
		/row 2: expected the label 0 or 1, found 2/,
	);
	expect(() => evaluateScores({ labels: [0, 1], scores: [0], threshold: 0, seed: 1 })).toThrow(/1 scores/);
	expect(() => evaluateScores({ ...rowsOf(4), threshold: 0.5, seed: 1, pairs: [[0, 1]] })).toThrow(
		/labels 0 and 1/,
	);
});

test('without a function that is called vulnerable, precision and MCC are undefined; recall and F1 are 0', () => {
	const rows = rowsOf(40);
	const never = evaluateScores({ ...rows, threshold: 2, seed: 1, resamples: 20 });
	const reason = 'no function is called vulnerable';
	expect(never.precision).toEqual({ value: null, reason });
	expect(never.mcc).toEqual({ value: null, reason });
	expect(never.recall.value).toBe(0);
	expect(never.f1.value).toBe(0);
	expect(never.accuracy.value).toBeGreaterThan(0);
	const always = evaluateScores({ ...rows, threshold: -1, seed: 1, resamples: 20 });
	expect(always.precision.value).toBeGreaterThan(0);
	expect(always.mcc).toEqual({ value: null, reason: 'every function is called vulnerable' });
});

test('validation of one class chooses no threshold', () => {
	const scores = [0.2, 0.4, 0.6];
	expect(validationThreshold([1, 1, 1], scores)).toBeNull();
	expect(validationThreshold([0, 0, 0], scores)).toBeNull();
	expect(validationThreshold([], [])).toBeNull();
	expect(validationThreshold([0, 0, 1], scores)).toBe(0.6);
});

test('one pair and one function of a weakness leave no interval, however many others there are', () => {
	const { labels, scores } = rowsOf(20);
	const pairs = [[1, 0] as const];
	const weaknesses = labels.map((_, row) => (row === 1 ? 'CWE-22' : row % 2 === 1 ? 'CWE-79' : null));
	const found = evaluateScores({ labels, scores, pairs, weaknesses, threshold: 0.5, seed: 1 });
	const reason = 'a bootstrap needs at least two groups of functions';
	expect(found.pairs!.ranking).toMatchObject({ low: null, high: null, reason });
	const recall = Object.fromEntries(found.recallByWeakness!.map((one) => [one.weakness, one.recall]));
	expect(recall['CWE-22']).toMatchObject({ low: null, reason });
	expect(recall['CWE-79']).toMatchObject({ low: expect.any(Number) });
});

test('P-C minus P-R is 0 where both functions of a pair get one answer, and counts reversed pairs against right ones', () => {
	const pairs = [
		[0, 1],
		[2, 3],
		[4, 5],
		[6, 7],
	] as const;
	const labels = [1, 0, 1, 0, 1, 0, 1, 0];
	const shares = (scores: readonly number[]) =>
		evaluateScores({ labels, scores, threshold: 0.5, seed: 1, pairs, resamples: 10 }).pairs!;
	expect(shares([0.9, 0.1, 0.9, 0.1, 0.1, 0.9, 0.9, 0.8]).correctMinusReversed.value).toBe(0.25);
	expect(shares([0.9, 0.8, 0.1, 0.2, 0.9, 0.9, 0.1, 0.1]).correctMinusReversed.value).toBe(0);
});

test('thresholds of rows give what one threshold gives where they are equal, and else those of each row', () => {
	const rows = rowsOf(60);
	const pairs = Array.from({ length: 30 }, (_, pair) => [2 * pair + 1, 2 * pair] as const);
	const weaknesses = rows.labels.map(() => 'CWE-79');
	const common = { ...rows, seed: 3, pairs, weaknesses, resamples: 50 };
	const single = evaluateScores({ ...common, threshold: 0.4 });
	const each = evaluateScores({ ...common, threshold: rows.scores.map(() => 0.4) });
	expect({ ...each, threshold: single.threshold }).toEqual(single);
	const half = evaluateScores({ ...common, threshold: rows.scores.map((_, row) => (row < 30 ? 2 : -1)) });
	expect(half.confusion).toEqual({
		truePositives: 15,
		falsePositives: 15,
		falseNegatives: 15,
		trueNegatives: 15,
	});
	expect(half.pairs!.bothVulnerable.value).toBe(0.5);
	expect(half.recallByWeakness![0]!.recall.value).toBe(0.5);
});

test('ROC AUC against the functions of each status, where there are several', () => {
	const labels = [1, 1, 0, 0, 0, 0, 0];
	const scores = [0.8, 0.6, 0.7, 0.9, 0.1, 0.2, 0.3];
	const statuses = ['VULNERABLE', 'VULNERABLE', 'FIXED', 'FIXED', 'NOT', 'NOT', null];
	const found = evaluateScores({ labels, scores, statuses, threshold: null, seed: 1, resamples: 0 });
	expect(found.rocAucByStatus).toMatchObject([
		{ status: 'FIXED', negatives: 2, rocAuc: { value: 0.25 } },
		{ status: 'NOT', negatives: 2, rocAuc: { value: 1 } },
	]);
	const one = { labels, scores, statuses: statuses.map((status) => (status === 'NOT' ? null : status)) };
	expect(evaluateScores({ ...one, threshold: null, seed: 1, resamples: 0 }).rocAucByStatus).toBeNull();
});
