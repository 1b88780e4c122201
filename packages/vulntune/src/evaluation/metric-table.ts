import type { Evaluation, Metric } from '../metrics/evaluation.ts';
import { textTable } from '../terminal/text-table.ts';
import {
	isWidthless,
	type MeasuredLine,
	measuredLines,
	pairCounts,
	weaknessLines,
	widthlessNote,
} from './metric-lines.ts';
import { numberReasons } from './numbered-reasons.ts';

/** One detector of a table. */
export interface MetricColumn {
	readonly name: string;
	readonly evaluation: Evaluation;
	/** Functions that it did not score. */
	readonly missing: number;
}

/** Weaknesses of a table for terminals; `--json` and the report have all. */
const SHOWN_WEAKNESSES = 10;

/** A row per metric and per weakness, a column per detector; every undefined value points at a note with its reason. */
export function metricTable(columns: readonly MetricColumn[]): { tables: string; notes: string[] } {
	const { reasons, numberOf } = numberReasons();
	const cell = (metric: Metric): string => {
		if (metric.value === null) return `- ${mark(metric.reason)}`;
		if (metric.low === null) return `${number(metric.value)} ${mark(metric.reason)}`;
		return `${number(metric.value)} [${number(metric.low)}, ${number(metric.high)}]`;
	};
	const mark = (reason: string): string => `(${numberOf(reason)})`;
	const names = columns.map(({ name }) => name);
	const evaluations = columns.map(({ evaluation }) => evaluation);
	const measured = measuredLines(evaluations);
	const pairs = pairCounts(evaluations);
	const metrics = textTable([
		['', ...names],
		...measured.map((line) => [markedLabel(line), ...line.metrics.map(cell)]),
		['threshold', ...evaluations.map(({ threshold }) => thresholdCell(threshold, mark))],
		['functions', ...evaluations.map(({ counts }) => String(counts.functions))],
		...(pairs === undefined ? [] : [['pairs', ...pairs.map(String)]]),
		['missing', ...columns.map(({ missing }) => String(missing))],
	]);
	const weaknesses = weaknessLines(evaluations);
	const shown = weaknesses.slice(0, SHOWN_WEAKNESSES);
	const recalls = textTable([
		['recall by weakness', 'vulnerable', ...names],
		...shown.map(({ weakness, positives, recalls }) => [weakness, String(positives), ...recalls.map(cell)]),
	]);
	// the model's: the baselines' are without width by what they are
	const own = [...measured.map(({ metrics }) => metrics[0]!), ...shown.map(({ recalls }) => recalls[0]!)];
	const rarer = weaknesses.length - shown.length;
	return {
		tables: [
			metrics,
			...(shown.length === 0 ? [] : ['', recalls]),
			...(rarer === 0 ? [] : [`and ${rarer} rarer; --json has all`]),
		].join('\n'),
		notes: [
			...reasons.map((reason, index) => `(${index + 1}) ${reason}`),
			'↓ lower is better; of all other metrics higher.',
			'f1_oracle takes its threshold from these very labels: an upper bound, not a result.',
			'VD-S is the share of vulnerable functions missed at a false-positive rate of at most 0.5 %.',
			...(own.some(isWidthless) ? [widthlessNote] : []),
		],
	};
}

/** The label of a metric of which less is better, so marked. */
export function markedLabel({ label, better }: Pick<MeasuredLine, 'label' | 'better'>): string {
	return better === 'lower' ? `${label} ↓` : label;
}

function thresholdCell(threshold: Evaluation['threshold'], mark: (reason: string) => string): string {
	return threshold.value === null ? `- ${mark(threshold.reason)}` : threshold.value.toPrecision(4);
}

function number(value: number): string {
	return value.toFixed(3);
}
