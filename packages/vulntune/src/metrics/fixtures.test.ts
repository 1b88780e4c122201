import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { bestF1Threshold } from './best-f1.ts';
import { brierScore, expectedCalibrationError } from './calibration.ts';
import { precisionRecallCurve, rocCurve } from './curves.ts';
import { delongInterval, pairedDelong } from './delong.ts';
import type { Outcome } from './outcome.ts';
import { pairCounts } from './pairs.ts';
import {
	averagePrecision,
	recallAtFalsePositiveRate,
	rocAuc,
	vulnerabilityDetectionScore,
} from './rank-metrics.ts';
import { curveOf } from './ranking.ts';
import { confusionAt, type PositiveRule, thresholdMetrics } from './threshold-metrics.ts';

type Golden = number | 'NaN' | 'Infinity' | '-Infinity';
type Point = Record<
	'tp' | 'fp' | 'fn' | 'tn' | 'precision' | 'recall' | 'f1' | 'macro_f1' | 'accuracy' | 'mcc',
	number
>;
interface Case {
	name: string;
	y: number[];
	score: number[];
	roc_auc: { status: string; sklearn: Golden };
	average_precision: { status: string; sklearn: Golden };
	brier: number;
	ece15_positive: number;
	ece15_confidence: number;
	roc_curve?: { fpr: number[]; tpr: number[]; thresholds: Golden[] };
	roc_curve_full?: { fpr: number[]; tpr: number[]; thresholds: Golden[] };
	precision_recall_curve?: { precision: number[]; recall: number[]; thresholds: Golden[] };
	at_threshold: (Point & { threshold: number })[];
	delong?: Record<'auc' | 'variance' | 'ci95_low' | 'ci95_high', Golden> & { status: string };
}
type DetectionScore = { status: string; vd_s: Golden; threshold: Golden; fpr: Golden };
interface Fixture {
	cases: Case[];
	best_f1: ({
		name: string;
		val_y: number[];
		val_score: number[];
		test_y: number[];
		test_score: number[];
		best_index: number;
		best_f1_on_curve: number;
		threshold: number;
	} & Record<'val_strict' | 'val_inclusive' | 'test_strict' | 'test_inclusive', Point>)[];
	primevul_pairs: ({ threshold: number; score_vulnerable: number[]; score_fixed: number[] } & Record<
		'P-C' | 'P-V' | 'P-B' | 'P-R',
		number
	>)[];
	paired_delong: ({ name: string; y: number[]; a: number[]; b: number[]; status: string } & Record<
		'auc_a' | 'auc_b' | 'var_a' | 'var_b' | 'cov' | 'difference' | 'var_difference' | 'z' | 'p_two_sided',
		number
	>)[];
}

const { skip, path } = needsShared('fixtures/metrics.json');
const fixture: Fixture = skip
	? { cases: [], best_f1: [], primevul_pairs: [], paired_delong: [] }
	: JSON.parse(readFileSync(path, 'utf8'));

/** 1e-12 absolute, the fixtures' tolerance; infinities are equal. */
function expectNear(found: number, golden: Golden): void {
	const expected = Number(golden);
	if (found === expected) return;
	expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-12);
}

function expectAllNear(found: readonly number[], golden: readonly Golden[]): void {
	expect(found.length).toBe(golden.length);
	for (const [index, value] of found.entries()) expectNear(value, golden[index]!);
}

function expectVariance(found: number, golden: number): void {
	expect(Math.abs(found - golden)).toBeLessThanOrEqual(1e-12 * golden + 1e-15);
}

function expectOutcome(found: Outcome, golden: { status: string; value: Golden }): void {
	expect(found.status).toBe(golden.status);
	if (found.status === 'ok') expectNear(found.value, golden.value);
	else expect(found.reason).not.toBe('');
}

function expectPoint(
	y: number[],
	score: number[],
	threshold: number,
	rule: PositiveRule,
	golden: Point,
): void {
	const counts = confusionAt(curveOf(y, score), threshold, rule);
	expect([counts.truePositives, counts.falsePositives, counts.falseNegatives, counts.trueNegatives]).toEqual([
		golden.tp,
		golden.fp,
		golden.fn,
		golden.tn,
	]);
	const metrics = thresholdMetrics(counts);
	expectNear(metrics.precision, golden.precision);
	expectNear(metrics.recall, golden.recall);
	expectNear(metrics.f1, golden.f1);
	expectNear(metrics.macroF1, golden.macro_f1);
	expectNear(metrics.accuracy, golden.accuracy);
	expectNear(metrics.mcc, golden.mcc);
}

describe.skipIf(skip)('metrics agree with scikit-learn', () => {
	describe.each(fixture.cases.map((item) => [item.name, item] as const))('%s', (_, item) => {
		const curve = curveOf(item.y, item.score);

		test('ROC AUC and average precision', () => {
			expectOutcome(rocAuc(curve), { status: item.roc_auc.status, value: item.roc_auc.sklearn });
			const { status, sklearn } = item.average_precision;
			expectOutcome(averagePrecision(curve), { status, value: sklearn });
		});

		test('Brier score and calibration error', () => {
			expectOutcome(brierScore(item.y, item.score), { status: 'ok', value: item.brier });
			for (const kind of ['positive', 'confidence'] as const) {
				const found = expectedCalibrationError(item.y, item.score, { kind });
				expectOutcome(found, { status: 'ok', value: item[`ece15_${kind}`] });
			}
		});

		test('counts and rates at thresholds', () => {
			expect(item.at_threshold.length).toBeGreaterThan(0);
			for (const golden of item.at_threshold) {
				expectPoint(item.y, item.score, golden.threshold, 'strict', golden);
			}
		});

		test('recall under a limit on the false-positive rate', () => {
			for (const [key, value] of Object.entries(item)) {
				if (!key.startsWith('vd_s_')) continue;
				const golden = value as DetectionScore;
				const limit = Number(key.slice('vd_s_'.length));
				const point = recallAtFalsePositiveRate(curve, limit);
				expectOutcome(vulnerabilityDetectionScore(curve, limit), {
					status: golden.status,
					value: golden.vd_s,
				});
				if (point.status !== 'ok') continue;
				expectNear(point.threshold, golden.threshold);
				expectNear(point.falsePositiveRate, golden.fpr);
			}
		});

		test('ROC curve', () => {
			if (item.roc_curve === undefined) return; // the fixture leaves out curves of one class
			for (const [golden, dropCollinear] of [
				[item.roc_curve, true],
				[item.roc_curve_full!, false],
			] as const) {
				const found = rocCurve(curve, { dropCollinear });
				if (found.status !== 'ok') throw new Error(found.reason);
				expectAllNear(found.falsePositiveRate, golden.fpr);
				expectAllNear(found.truePositiveRate, golden.tpr);
				expectAllNear(found.thresholds, golden.thresholds);
			}
		});

		test('precision-recall curve', () => {
			if (item.precision_recall_curve === undefined) return;
			const golden = item.precision_recall_curve;
			const found = precisionRecallCurve(curve);
			if (found.status !== 'ok') throw new Error(found.reason);
			expectAllNear(found.precision, golden.precision);
			expectAllNear(found.recall, golden.recall);
			expectAllNear(found.thresholds, golden.thresholds);
		});

		test('DeLong variance and interval', () => {
			const found = delongInterval(item.y, item.score);
			const golden = item.delong;
			if (golden === undefined || golden.variance === 'NaN') {
				expect(found.status).toBe('undefined');
				return;
			}
			if (found.status !== 'ok') throw new Error(found.reason);
			expectNear(found.auc, golden.auc);
			expectVariance(found.variance, Number(golden.variance));
			expectNear(found.low, golden.ci95_low);
			expectNear(found.high, golden.ci95_high);
		});
	});

	test.each(fixture.best_f1.map((item) => [item.name, item] as const))('best F1 threshold: %s', (_, item) => {
		const found = bestF1Threshold(curveOf(item.val_y, item.val_score));
		if (found.status !== 'ok') throw new Error(found.reason);
		expect(found.index).toBe(item.best_index);
		expectNear(found.threshold, item.threshold);
		expectNear(found.f1, item.best_f1_on_curve);
		for (const rule of ['strict', 'inclusive'] as const) {
			expectPoint(item.val_y, item.val_score, found.threshold, rule, item[`val_${rule}`]);
			expectPoint(item.test_y, item.test_score, found.threshold, rule, item[`test_${rule}`]);
		}
	});

	test('pairs of PrimeVul', () => {
		for (const item of fixture.primevul_pairs) {
			const found = pairCounts(item.score_vulnerable, item.score_fixed, item.threshold, { rule: 'strict' });
			expect([found.correct, found.bothVulnerable, found.bothBenign, found.reversed]).toEqual([
				item['P-C'],
				item['P-V'],
				item['P-B'],
				item['P-R'],
			]);
		}
	});

	test.each(fixture.paired_delong.map((item) => [item.name, item] as const))(
		'paired DeLong: %s',
		(_, item) => {
			const found = pairedDelong(item.y, item.a, item.b);
			if (!('test' in found)) throw new Error(found.reason);
			expectNear(found.aucA, item.auc_a);
			expectNear(found.aucB, item.auc_b);
			expectNear(found.difference, item.difference);
			expectVariance(found.varianceA, item.var_a);
			expectVariance(found.varianceB, item.var_b);
			expect(Math.abs(found.covariance - item.cov)).toBeLessThanOrEqual(1e-12 * Math.abs(item.cov) + 1e-15);
			expect(found.test.status).toBe(item.status === 'ok' ? 'ok' : 'undefined');
			if (found.test.status !== 'ok') return;
			expectVariance(found.test.variance, item.var_difference);
			expectNear(found.test.z, item.z);
			expectNear(found.test.p, item.p_two_sided);
		},
	);
});
