import type { MetricLine } from '../evaluation/metric-lines.ts';
import { numberReasons } from '../evaluation/numbered-reasons.ts';
import type { Metric } from '../metrics/evaluation.ts';
import { html, type Markup } from './html.ts';

/** An arrow for eyes and words for screen readers: which way is better. */
export function betterMark(better: MetricLine['better']): Markup {
	const arrow = better === 'higher' ? '↑' : '↓';
	return html`<span class="better" aria-hidden="true">${arrow}</span><span class="words"> (${better} is better)</span>`;
}

export type Notes = ReturnType<typeof createNotes>;

/** Reasons why values are undefined, numbered. */
export function createNotes() {
	const { reasons, numberOf } = numberReasons();
	return {
		mark(reason: string): Markup {
			return html`<sup>${numberOf(reason)}</sup>`;
		},
		list(): Markup | undefined {
			if (reasons.length === 0) return undefined;
			return html`<ol class="note">${reasons.map((reason) => html`<li>${reason}</li>`)}</ol>`;
		},
	};
}

export function tableRow(label: Markup | string, cells: readonly (Markup | string)[]): Markup {
	return html`<tr><th scope="row">${label}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`;
}

export function metricCell(metric: Metric, notes: Notes): Markup {
	if (metric.value === null) return undefinedCell(metric.reason, notes);
	const value = metric.value.toFixed(3);
	if (metric.low === null) return html`${value}${notes.mark(metric.reason)}`;
	return html`${value}<small>[${metric.low.toFixed(3)}, ${metric.high.toFixed(3)}]</small>`;
}

/** A difference with its interval; the sign says which way. */
export function differenceCell(difference: Metric): Markup {
	if (difference.value === null) return html`– <small>${difference.reason}</small>`;
	if (difference.low === null) return html`${signed(difference.value)} <small>${difference.reason}</small>`;
	return html`${signed(difference.value)}<small>[${signed(difference.low)}, ${signed(difference.high)}]</small>`;
}

export function signed(value: number): string {
	return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}

export function undefinedCell(reason: string, notes: Notes): Markup {
	return html`<span class="undefined">undefined</span>${notes.mark(reason)}`;
}

/** The head of a table with a column for each detector. */
export function detectorHead(
	rows: readonly { readonly name: string; readonly kind: 'model' | 'baseline' }[],
	before: readonly string[] = [],
): Markup {
	const names = rows.map(({ name, kind }) => html`<th scope="col" class="${kind}">${name}</th>`);
	return html`<thead><tr><td></td>${before.map((name) => html`<th scope="col">${name}</th>`)}${names}</tr></thead>`;
}
