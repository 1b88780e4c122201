import type { Evaluation, Metric } from '../metrics/evaluation.ts';

/** A metric as a line of a table. */
export interface MetricLine {
	readonly label: string;
	readonly better: 'higher' | 'lower';
	/** undefined where the evaluation has nothing to measure it on: pairs where none are known. */
	readonly of: (evaluation: Evaluation) => Metric | undefined;
}

const line = (label: string, better: MetricLine['better'], of: MetricLine['of']): MetricLine => ({
	...{ label, better, of },
});

/** What is looked at first. */
export const headlineLines: readonly MetricLine[] = [
	line('ROC AUC', 'higher', ({ rocAuc }) => rocAuc),
	line('F1', 'higher', ({ f1 }) => f1),
	line('average precision', 'higher', ({ averagePrecision }) => averagePrecision),
];

/** Every metric of a table, in order; docs/reading-the-report.md explains them. */
const allLines: readonly MetricLine[] = [
	...headlineLines,
	line('precision', 'higher', ({ precision }) => precision),
	line('recall', 'higher', ({ recall }) => recall),
	line('macro F1', 'higher', ({ macroF1 }) => macroF1),
	line('MCC', 'higher', ({ mcc }) => mcc),
	line('accuracy', 'higher', ({ accuracy }) => accuracy),
	line('Brier score', 'lower', ({ brier }) => brier),
	line('calibration error', 'lower', ({ ece }) => ece),
	line('recall at FPR 1 %', 'higher', (evaluation) => evaluation.recallAtFalsePositiveRate['0.01']),
	line('VD-S', 'lower', ({ vdS }) => vdS),
	line('f1_oracle', 'higher', (evaluation) => evaluation.f1_oracle),
	line('pairs correct (P-C)', 'higher', ({ pairs }) => pairs?.correct),
	line('pairs both vulnerable (P-V)', 'lower', ({ pairs }) => pairs?.bothVulnerable),
	line('pairs both benign (P-B)', 'lower', ({ pairs }) => pairs?.bothBenign),
	line('pairs reversed (P-R)', 'lower', ({ pairs }) => pairs?.reversed),
	line('P-C minus P-R', 'higher', ({ pairs }) => pairs?.correctMinusReversed),
	line('pairs ranked right', 'higher', ({ pairs }) => pairs?.ranking),
];

/** A line for each status of the functions that aren't vulnerable, where there are several. */
function statusLines([first]: readonly Evaluation[]): MetricLine[] {
	return (first?.rocAucByStatus ?? []).map(({ status, negatives }) =>
		line(`ROC AUC against ${negatives} ${status}`, 'higher', ({ rocAucByStatus }) => {
			return rocAucByStatus?.find((own) => own.status === status)?.rocAuc;
		}),
	);
}

/** A line with the metric of every column. */
export interface MeasuredLine extends MetricLine {
	readonly metrics: readonly Metric[];
}

/** The lines that every one of some evaluations of the same functions has. */
export function measuredLines(
	evaluations: readonly Evaluation[],
	lines: readonly MetricLine[] = allLines,
): MeasuredLine[] {
	return [...lines, ...(lines === allLines ? statusLines(evaluations) : [])].flatMap((line) => {
		const metrics = evaluations.flatMap((evaluation) => line.of(evaluation) ?? []);
		return metrics.length === evaluations.length ? [{ ...line, metrics }] : [];
	});
}

/** Pairs that each evaluation was measured on; undefined where none are known. */
export function pairCounts(evaluations: readonly Evaluation[]): number[] | undefined {
	const counts = evaluations.flatMap(({ pairs }) => pairs?.count ?? []);
	return counts.length === evaluations.length ? counts : undefined;
}

/** Said where an interval has no width. */
export const widthlessNote =
	'An interval without width is no certainty: these functions show no spread, most often because all got the same answer.';

/** Whether no spread was found in it. */
export function isWidthless(metric: Metric): boolean {
	return metric.value !== null && metric.low !== null && metric.low === metric.high;
}

/** Recall on the vulnerable functions of one weakness. */
export interface WeaknessLine {
	readonly weakness: string;
	/** Vulnerable functions of it. */
	readonly positives: number;
	/** At the threshold, one for each evaluation. */
	readonly recalls: readonly Metric[];
}

/**
 * Recall by weakness of some evaluations of the same functions, the most frequent first; empty where none are known, or where
 * the first has no threshold to recall at.
 */
export function weaknessLines(evaluations: readonly Evaluation[]): WeaknessLine[] {
	const [first] = evaluations;
	const known = first?.confusion == null ? [] : (first.recallByWeakness ?? []);
	return known.map(({ weakness, positives }, index) => ({
		weakness,
		positives,
		// the order is that of the functions, so the same in all
		recalls: evaluations.map(({ recallByWeakness }) => recallByWeakness![index]!.recall),
	}));
}
