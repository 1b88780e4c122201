import type { ComparisonRow } from '../evaluation/compare-with-baselines.ts';
import { headlineLines, type MeasuredLine, measuredLines } from '../evaluation/metric-lines.ts';
import type { Metric } from '../metrics/evaluation.ts';
import { html, type Markup } from './html.ts';
import { betterMark } from './metric-parts.ts';

/** The metrics that are looked at first, each with its baselines. */
export function headlineSection(rows: readonly ComparisonRow[]): Markup {
	const lines = measuredLines(
		rows.map(({ evaluation }) => evaluation),
		headlineLines,
	);
	return html`<section class="headline" aria-label="The model in three numbers">
${lines.map((line) => tile(line, rows))}
</section>`;
}

function tile({ label, better, metrics }: MeasuredLine, rows: readonly ComparisonRow[]): Markup {
	const [own, ...baselines] = metrics;
	const beside = baselines.map(
		(metric, index) => html`<div><dt>${rows[index + 1]!.name}</dt><dd>${valueText(metric)}</dd></div>
`,
	);
	return html`<div class="tile">
<h2>${label} ${betterMark(better)}</h2>
<p class="value">${valueText(own!)} <small>${intervalText(own!)}</small></p>
<dl>${beside}</dl>
</div>
`;
}

function valueText(metric: Metric): string {
	return metric.value === null ? 'undefined' : metric.value.toFixed(3);
}

function intervalText(metric: Metric): string {
	if (metric.value === null || metric.low === null) return metric.reason;
	return `95 %: ${metric.low.toFixed(3)} to ${metric.high.toFixed(3)}`;
}
