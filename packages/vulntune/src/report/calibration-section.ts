import type { CalibratedTest } from './calibrated-test.ts';
import { html, type Markup } from './html.ts';
import { betterMark, createNotes, differenceCell, metricCell, tableRow } from './metric-parts.ts';

/** How well probabilities mean what they say, as they come and behind the maps that validation fitted. */
export function calibrationSection({ rows, verdict }: CalibratedTest, figure: Markup): Markup {
	const notes = createNotes();
	const cells = rows.map((row) =>
		tableRow(row.name, [
			metricCell(row.ece, notes),
			row.change === undefined ? '' : differenceCell(row.change),
			metricCell(row.brier, notes),
		]),
	);
	return html`<section>
<h2>Calibration</h2>
<p>${calibrationIntroduction} ${verdict}</p>
<div class="scroll"><table>
<thead><tr><td></td><th scope="col">calibration error ${betterMark('lower')}</th><th scope="col">change</th><th scope="col">Brier score ${betterMark('lower')}</th></tr></thead>
<tbody>${cells}</tbody>
</table></div>
${notes.list()}
<p class="note">Chance alone makes bins of few functions miss their share, the more so in resamples: an interval of the calibration error may lie above its value, and a map that gathers probabilities in fewer bins lowers it for that too. The Brier score has no bins.</p>
<div class="figures">${figure}</div>
</section>`;
}

/** Said of the maps on the page and on the card. */
export const calibrationIntroduction =
	'Two maps that validation fitted lie beside the adapter; here they are judged on the test split, which they have not seen.';
