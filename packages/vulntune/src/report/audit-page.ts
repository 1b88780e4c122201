import type { Audit } from '../audit/audit-dataset.ts';
import { auditLegend, conflictLine, overlapColumns, spellRow } from '../audit/audit-text.ts';
import { splitNames } from '../data/dataset.ts';
import { documentPage } from './document-page.ts';
import { html, type Markup } from './html.ts';
import { tableRow } from './metric-parts.ts';

const heading = 'Leak audit of ';

/** Whether a file that begins so is what `renderAuditPage` makes. */
export function isAuditPage(start: string): boolean {
	return start.includes(`<title>${heading}`);
}

/** The audit of a dataset as one HTML file that loads nothing and runs no script. */
export function renderAuditPage(audit: Audit, name: string): string {
	const { splits, across, labelConflicts, clusters, pairs } = audit;
	const present = splitNames.filter((split) => splits[split].functions > 0);
	return documentPage(
		`${heading}${name}`,
		html`<header><h1>${heading}${name}</h1>
${auditLegend(audit).map((line) => html`<p class="note">${line}</p>`)}
</header>
<main>
<section><h2>The splits</h2>
${table(
	['functions', 'vulnerable', 'copies inside', 'from', 'to'],
	present.map((split) => {
		const { functions, vulnerable, copies, dates } = splits[split];
		return tableRow(split, [
			...[functions, vulnerable, copies].map(String),
			dates?.first ?? '–',
			dates?.last ?? '–',
		]);
	}),
)}
<p>${clusters.count} clusters of near-duplicates, the largest of ${clusters.largest} functions.</p>
</section>
<section><h2>Functions that another split knows</h2>
${table(
	overlapColumns.map(({ label }) => label),
	across.map((overlap) =>
		tableRow(
			`${overlap.split} from ${overlap.other}`,
			overlapColumns.map(({ of }) => {
				const count = of(overlap);
				const share = count === null ? 0 : (100 * count) / splits[overlap.split].functions;
				return count === null ? '–' : html`${count}<small>${share.toFixed(1)} %</small>`;
			}),
		),
	),
)}
</section>
<section><h2>Texts with both labels</h2>
<p>${conflictLine(labelConflicts)}</p>
<ul>${labelConflicts.found.map((rows) => html`<li>${rows.map(spellRow).join(', ')}</li>`)}</ul>
</section>
<section><h2>The most similar functions of different splits</h2>
${table(
	['', 'similarity'],
	pairs.map(({ similarity, rows: [a, b] }) => tableRow(spellRow(a), [spellRow(b), similarity.toFixed(3)])),
)}
</section>
</main>`,
	);
}

function table(head: readonly string[], rows: readonly Markup[]): Markup {
	return html`<div class="scroll"><table>
<thead><tr><td></td>${head.map((label) => html`<th scope="col">${label}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}
