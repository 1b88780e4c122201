import type { Evaluation, Metric } from '../metrics/evaluation.ts';
import { textTable } from './text-table.ts';

/** One detector of a table. */
export interface MetricColumn {
	readonly name: string;
	readonly evaluation: Evaluation;
	/** Functions that it did not score. */
	readonly missing: number;
}

/** The metrics of a table, in order. */
export const metricLines: readonly (readonly [label: string, of: (evaluation: Evaluation) => Metric])[] = [
	['ROC AUC', (evaluation) => evaluation.rocAuc],
	['average precision', (evaluation) => evaluation.averagePrecision],
	['F1', (evaluation) => evaluation.f1],
	['precision', (evaluation) => evaluation.precision],
	['recall', (evaluation) => evaluation.recall],
	['macro F1', (evaluation) => evaluation.macroF1],
	['MCC', (evaluation) => evaluation.mcc],
	['accuracy', (evaluation) => evaluation.accuracy],
	['Brier score', (evaluation) => evaluation.brier],
	['calibration error', (evaluation) => evaluation.ece],
	['recall at FPR 1 %', (evaluation) => evaluation.recallAtFalsePositiveRate['0.01']!],
	['VD-S', (evaluation) => evaluation.vdS],
	['f1_oracle', (evaluation) => evaluation.f1_oracle],
];

/** Those of pairs of a function and its fix. */
export const pairMetricLines: readonly (readonly [
	label: string,
	of: (pairs: NonNullable<Evaluation['pairs']>) => Metric,
])[] = [
	['pairs correct (P-C)', (pairs) => pairs.correct],
	['pairs both vulnerable (P-V)', (pairs) => pairs.bothVulnerable],
	['pairs both benign (P-B)', (pairs) => pairs.bothBenign],
	['pairs reversed (P-R)', (pairs) => pairs.reversed],
	['pairs ranked right', (pairs) => pairs.ranking],
];

/** A row per metric, a column per detector; every undefined value points at a note with its reason. */
export function metricTable(columns: readonly MetricColumn[]): { table: string; notes: string[] } {
	const reasons: string[] = [];
	const cell = (metric: Metric): string => {
		if (metric.value === null) return `- ${mark(metric.reason)}`;
		if (metric.low === null) return `${number(metric.value)} ${mark(metric.reason)}`;
		return `${number(metric.value)} [${number(metric.low)}, ${number(metric.high)}]`;
	};
	const mark = (reason: string): string => {
		if (!reasons.includes(reason)) reasons.push(reason);
		return `(${reasons.indexOf(reason) + 1})`;
	};
	const rows = [
		['', ...columns.map((column) => column.name)],
		...metricLines.map(([label, of]) => [label, ...columns.map(({ evaluation }) => cell(of(evaluation)))]),
	];
	if (columns.every(({ evaluation }) => evaluation.pairs !== null)) {
		for (const [label, of] of pairMetricLines) {
			rows.push([label, ...columns.map(({ evaluation }) => cell(of(evaluation.pairs!)))]);
		}
	}
	rows.push(
		['threshold', ...columns.map(({ evaluation: { threshold } }) => thresholdCell(threshold, mark))],
		['functions', ...columns.map(({ evaluation }) => String(evaluation.counts.functions))],
		['missing', ...columns.map(({ missing }) => String(missing))],
	);
	const notes = reasons.map((reason, index) => `(${index + 1}) ${reason}`);
	notes.push(
		'f1_oracle takes its threshold from these very labels: an upper bound, not a result.',
		'VD-S is the share of vulnerable functions missed at a false-positive rate of at most 0.5 %.',
	);
	return { table: textTable(rows), notes };
}

function thresholdCell(threshold: Evaluation['threshold'], mark: (reason: string) => string): string {
	return threshold.value === null ? `- ${mark(threshold.reason)}` : threshold.value.toPrecision(4);
}

function number(value: number): string {
	return value.toFixed(3);
}
