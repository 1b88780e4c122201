import type { Comparison, ComparisonRow } from '../evaluation/compare-with-baselines.ts';
import { groupNames } from '../evaluation/groups.ts';
import { measuredLines, pairCounts } from '../evaluation/metric-lines.ts';
import type { Difference } from '../evaluation/verdict.ts';
import { describeBaselines } from './baseline-words.ts';
import { html, type Markup } from './html.ts';
import {
	betterMark,
	createNotes,
	detectorHead,
	differenceCell,
	metricCell,
	type Notes,
	tableRow,
	undefinedCell,
} from './metric-parts.ts';
import type { ReportData } from './report-data.ts';

/** All metrics of the model and the baselines with their intervals, the paired differences, and what both mean. */
export function metricsSection({
	comparison,
	truncated,
	baselines,
}: Pick<ReportData, 'comparison' | 'truncated' | 'baselines'>): Markup {
	const { rows, missing, groupedBy } = comparison;
	const { counts, bootstrap } = rows[0]!.evaluation;
	const unit = groupNames[groupedBy];
	const notes = createNotes();
	const baselineWords = describeBaselines({ comparison, baselines }).map(
		([name, words], i) => html`${i === 0 ? '' : ', '}<em>${name}</em> ${words}`,
	);
	const table = metricsTable(rows, truncated, notes);
	return html`<p>${counts.functions} functions, ${counts.positives} of them vulnerable. In brackets: 95 % intervals, DeLong for ROC AUC, for the rest a bootstrap of ${bootstrap.resamples} samples over ${counts.groups} ${unit}.${missingSentence(missing)}${truncated > 0 ? ` ${truncated} functions are longer than a sequence and were cut to it before they were scored.` : ''}</p>
${table}
${notes.list()}
<p class="note">↑ higher is better, ↓ lower is better. F1, precision, recall and the like are at the threshold from validation. f1_oracle takes its threshold from these very labels: an upper bound, not a result. VD-S is the share of vulnerable functions missed at a false-positive rate of at most 0.5 %. The baselines see nothing of the model: ${baselineWords}.</p>
<h3>The model minus each baseline</h3>
${differencesTable(rows)}
<p class="note">Above 0 the model is better. Paired on the same functions; p is two-sided and not corrected for the number of baselines.</p>`;
}

function missingSentence({ count, positives }: Comparison['missing']): string {
	if (count === 0) return '';
	return ` ${count} functions (${positives} vulnerable) were not scored: no row counts them.`;
}

function metricsTable(rows: readonly ComparisonRow[], truncated: number, notes: Notes): Markup {
	const evaluations = rows.map(({ evaluation }) => evaluation);
	const metrics = measuredLines(evaluations).map(({ label, better, metrics }) =>
		tableRow(
			html`${label}\u00a0${betterMark(better)}`,
			metrics.map((metric) => metricCell(metric, notes)),
		),
	);
	const thresholds = evaluations.map(({ threshold }) =>
		threshold.value === null ? undefinedCell(threshold.reason, notes) : threshold.value.toPrecision(4),
	);
	const counts = functionCounts(rows, truncated).map(([label, ...values]) => tableRow(label, values));
	return html`<div class="scroll"><table>
${detectorHead(rows)}
<tbody>${metrics}${tableRow('threshold', thresholds)}${counts}</tbody>
</table></div>`;
}

/** Rows of a table: functions that a detector scored, did not score, and saw a part of only, and pairs where there are any. */
export function functionCounts(
	rows: readonly ComparisonRow[],
	truncated: number,
): [label: string, ...values: string[]][] {
	const pairs = pairCounts(rows.map(({ evaluation }) => evaluation));
	return [
		['functions scored', ...rows.map(({ evaluation }) => String(evaluation.counts.functions))],
		['functions missing', ...rows.map(({ missing }) => String(missing))],
		// the baselines read whole functions
		['functions truncated', ...rows.map(({ kind }) => String(kind === 'model' ? truncated : 0))],
		...(pairs === undefined ? [] : [['pairs', ...pairs.map(String)] satisfies [string, ...string[]]]),
	];
}

function differencesTable(rows: readonly ComparisonRow[]): Markup {
	const cells = ({ name, against }: ComparisonRow) =>
		against === null
			? []
			: [
					tableRow(name, [
						differenceCell(against.rocAuc),
						pCell(against.rocAuc),
						differenceCell(against.f1),
						pCell(against.f1),
					]),
				];
	return html`<div class="scroll"><table>
<thead><tr><td></td><th scope="col">ROC AUC</th><th scope="col">p</th><th scope="col">F1</th><th scope="col">p</th></tr></thead>
<tbody>${rows.flatMap(cells)}</tbody>
</table></div>`;
}

function pCell(difference: Difference): string {
	if (difference.value === null || difference.p === null) return '–';
	return difference.p < 0.001 ? '<0.001' : difference.p.toFixed(3);
}
