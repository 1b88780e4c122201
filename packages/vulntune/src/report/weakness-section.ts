import type { ComparisonRow } from '../evaluation/compare-with-baselines.ts';
import { isWidthless, type WeaknessLine, weaknessLines, widthlessNote } from '../evaluation/metric-lines.ts';
import { html, type Markup } from './html.ts';
import { createNotes, detectorHead, metricCell, type Notes, tableRow } from './metric-parts.ts';

/** So many are seen in each of two columns; the rarer ones can be opened. */
const SHOWN = 12;

/** Recall on the vulnerable functions of each weakness; undefined where none are named, or without a threshold. */
export function weaknessSection(rows: readonly ComparisonRow[]): Markup | undefined {
	// the recall of all-positive is 1
	const detectors = rows.filter(({ name, kind }) => kind === 'model' || name !== 'all-positive');
	const lines = weaknessLines(detectors.map(({ evaluation }) => evaluation));
	if (lines.length === 0) return undefined;
	const notes = createNotes();
	const table = (from: number, to?: number) => {
		const some = lines.slice(from, to);
		return some.length === 0 ? undefined : weaknessTable(some, detectors, notes);
	};
	const columns = html`<div class="columns">
${table(0, SHOWN)}
${table(SHOWN, 2 * SHOWN)}
</div>`;
	const rarer = lines.length - 2 * SHOWN;
	const widthless = lines.some(({ recalls: [own] }) => isWidthless(own!)) ? ` ${widthlessNote}` : '';
	return html`<section>
<h2>Recall by weakness</h2>
<p class="note">Which share of the vulnerable functions of each weakness (the first that a row names) is found at the threshold from validation; higher is better. Few functions say little: mind the 95 % intervals in brackets.${widthless} all-positive finds them all.</p>
${columns}
${rarer > 0 ? html`<details><summary>${rarer} rarer weaknesses</summary>${table(2 * SHOWN)}</details>` : undefined}
${notes.list()}
</section>`;
}

function weaknessTable(
	lines: readonly WeaknessLine[],
	detectors: readonly ComparisonRow[],
	notes: Notes,
): Markup {
	const cells = lines.map(({ weakness, positives, recalls: [own, ...baselines] }) =>
		tableRow(weakness, [
			String(positives),
			metricCell(own!, notes),
			...baselines.map((recall) => recall.value?.toFixed(3) ?? 'undefined'),
		]),
	);
	return html`<div class="scroll"><table class="weaknesses">
${detectorHead(detectors, ['vulnerable'])}
<tbody>${cells}</tbody>
</table></div>`;
}
