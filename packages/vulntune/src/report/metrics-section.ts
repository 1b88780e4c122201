import type { Comparison, ComparisonRow } from '../evaluation/compare-with-baselines.ts';
import { metricLines, pairMetricLines } from '../evaluation/metric-table.ts';
import type { Difference } from '../evaluation/verdict.ts';
import type { Metric } from '../metrics/evaluation.ts';
import { html, type Markup } from './html.ts';

/** All metrics of the model and the baselines with their intervals, the paired differences, and what both mean. */
export function metricsSection(comparison: Comparison, truncated: number): Markup {
	const { rows, missing, groupedBy } = comparison;
	const { counts, bootstrap } = rows[0]!.evaluation;
	const unit = groupedBy === 'commit' ? 'fix commits' : 'functions';
	const notes = createNotes();
	const table = metricsTable(rows, truncated, notes);
	return html`<section>
<h2>On the test split</h2>
<p>${counts.functions} functions, ${counts.positives} of them vulnerable. In brackets: 95 % intervals, DeLong for ROC AUC, for the rest a bootstrap of ${bootstrap.resamples} samples over ${counts.groups} ${unit}.${missingSentence(missing)}${truncated > 0 ? ` ${truncated} functions are longer than a sequence and were cut to it before they were scored.` : ''}</p>
${table}
<p class="note">F1, precision, recall and the like are at the threshold from validation. f1_oracle takes its threshold from these very labels: an upper bound, not a result. VD-S is the share of vulnerable functions missed at a false-positive rate of at most 0.5 %. The baselines see nothing of the model: <em>all-positive</em> calls every function vulnerable, <em>length</em> the shorter ones, <em>ngram</em> is a logistic regression on character n-grams of the same training rows.</p>
${notes.list()}
<h3>The model minus each baseline</h3>
${differencesTable(rows)}
<p class="note">Paired on the same functions; p is two-sided and not corrected for the number of baselines.</p>
</section>`;
}

function missingSentence({ count, positives }: Comparison['missing']): string {
	if (count === 0) return '';
	return ` ${count} functions (${positives} vulnerable) were not scored: no row counts them.`;
}

/** Reasons why values are undefined, numbered. */
function createNotes() {
	const reasons: string[] = [];
	return {
		mark(reason: string): Markup {
			if (!reasons.includes(reason)) reasons.push(reason);
			return html`<sup>${reasons.indexOf(reason) + 1}</sup>`;
		},
		list(): Markup | undefined {
			if (reasons.length === 0) return undefined;
			return html`<ol class="note">${reasons.map((reason) => html`<li>${reason}</li>`)}</ol>`;
		},
	};
}

type Notes = ReturnType<typeof createNotes>;

function metricsTable(rows: readonly ComparisonRow[], truncated: number, notes: Notes): Markup {
	const metrics = metricLines.map(([label, of]) =>
		tableRow(
			label,
			rows.map(({ evaluation }) => metricCell(of(evaluation), notes)),
		),
	);
	const hasPairs = rows.every(({ evaluation }) => evaluation.pairs !== null);
	const pairs = hasPairs
		? pairMetricLines.map(([label, of]) =>
				tableRow(
					label,
					rows.map(({ evaluation }) => metricCell(of(evaluation.pairs!), notes)),
				),
			)
		: [];
	const thresholds = rows.map(({ evaluation: { threshold } }) =>
		threshold.value === null
			? html`–${notes.mark(threshold.reason)}`
			: html`${threshold.value.toPrecision(4)}`,
	);
	const counts = functionCounts(rows, truncated).map(([label, ...values]) =>
		tableRow(
			label,
			values.map((value) => html`${value}`),
		),
	);
	return html`<div class="scroll"><table>
<thead><tr><td></td>${rows.map(({ name, kind }) => html`<th scope="col" class="${kind}">${name}</th>`)}</tr></thead>
<tbody>${metrics}${pairs}${tableRow('threshold', thresholds)}${counts}</tbody>
</table></div>`;
}

/** Rows of a table: functions that a detector scored, did not score, and saw a part of only. */
export function functionCounts(
	rows: readonly ComparisonRow[],
	truncated: number,
): [label: string, ...values: string[]][] {
	return [
		['functions scored', ...rows.map(({ evaluation }) => String(evaluation.counts.functions))],
		['functions missing', ...rows.map(({ missing }) => String(missing))],
		// the baselines read whole functions
		['functions truncated', ...rows.map(({ kind }) => String(kind === 'model' ? truncated : 0))],
	];
}

function tableRow(label: string, cells: readonly Markup[]): Markup {
	return html`<tr><th scope="row">${label}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`;
}

function metricCell(metric: Metric, notes: Notes): Markup {
	if (metric.value === null) return html`–${notes.mark(metric.reason)}`;
	const value = metric.value.toFixed(3);
	if (metric.low === null) return html`${value}${notes.mark(metric.reason)}`;
	return html`${value}<small>[${metric.low.toFixed(3)}, ${metric.high.toFixed(3)}]</small>`;
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

function differenceCell(difference: Difference): Markup {
	if (difference.value === null) return html`– <small>${difference.reason}</small>`;
	if (difference.low === null) return html`${signed(difference.value)} <small>${difference.reason}</small>`;
	return html`${signed(difference.value)}<small>[${signed(difference.low)}, ${signed(difference.high)}]</small>`;
}

function pCell(difference: Difference): Markup {
	if (difference.value === null || difference.p === null) return html`–`;
	return html`${difference.p < 0.001 ? '<0.001' : difference.p.toFixed(3)}`;
}

function signed(value: number): string {
	return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}
