import { documentPage } from '../../report/document-page.ts';
import { html, type Markup } from '../../report/html.ts';
import { createNotes, metricCell, type Notes, tableRow } from '../../report/metric-parts.ts';
import { syntheticWarning } from '../../report/page.ts';
import { lastPart } from '../../report/report-data.ts';
import { formatBytes, formatCount, formatDuration } from '../../terminal/format.ts';
import { describeDifference } from '../compare-cells.ts';
import { shownValue } from '../grid/load-grid.ts';
import { asMetric } from '../ledger/results.ts';
import { type AxisFinding, axisFindings } from './axis-findings.ts';
import { type PaperRow, paperTable } from './paper-table.ts';
import type { ReportCell, StudyReport } from './report-cells.ts';
import type { StudyFigure } from './study-figure.ts';

/** The level at which a corrected p value is called a finding. */
const level = 0.05;

/** The report of a study as one HTML file. */
export function renderStudyPage(
	{ study, cells, isSynthetic }: StudyReport,
	figures: readonly StudyFigure[],
): string {
	const name = lastPart(study.study);
	const notes = createNotes();
	const isOfPaper = cells.some(({ paperRow }) => paperRow !== undefined);
	const forests = figures.filter((figure) => figure.name.startsWith('forest'));
	const curves = figures.filter((figure) => !forests.includes(figure));
	return documentPage(
		`${isSynthetic ? 'Synthetic data: ' : ''}${name}`,
		html`<header>
${isSynthetic ? html`<p class="synthetic">${syntheticWarning}</p>` : undefined}
<h1>Study ${name}</h1>
<p class="verdict">${verdict(cells)}</p>
<p class="note">${describeStudy(study)}</p>
${missing(study)}
</header>
<main>
${isOfPaper ? paperSection(cells, notes) : undefined}
<section>
<h2>On the test split</h2>
<div class="wide">${forests.map(figureMarkup)}</div>
<h3>Against the best baseline</h3>
<p class="note">Differences in ROC AUC on the same functions (DeLong, paired); p corrected by Holm's method over the ${cells.length} cells.</p>
${turnedNote(cells)}
${significanceTable(cells, notes)}
</section>
${axisSection(axisFindings(study, cells))}
<section>
<h2>Epoch by epoch</h2>
${curves.length === 0 ? html`<p>No run has several epochs.</p>` : html`<div class="figures">${curves.map(figureMarkup)}</div>`}
</section>
<section>
<h2>Every cell</h2>
${cellTable(study.overrides, cells, notes)}
${notes.list()}
</section>
</main>`,
	);
}

/** What was run, for a reader who wasn't there: the grids with what they vary, and how to read the numbers. */
function describeStudy({ grids, cells, overrides }: StudyReport['study']): string {
	const each = grids.map(({ name, columns }) => {
		const own = cells.filter(({ grid }) => grid === name);
		const varied = columns.length === 0 ? 'one setting' : columns.join(', ');
		return `${name} (${formatCount(own.length, 'cell')}: ${varied})`;
	});
	const set =
		overrides.length === 0 ? '' : ` Along with these, some cells have other ${overrides.join(', ')}.`;
	return `A cell is one training run. Grids, and the options in which their cells differ: ${each.join('; ')}.${set} ROC AUC is the chance that a vulnerable function scores above one that isn't: 0.5 is a coin flip, 1 is without a mistake. In brackets stand 95 % intervals.`;
}

/** What the corrected tests say of the study as a whole. */
function verdict(cells: readonly ReportCell[]): string {
	if (cells.length === 0) return 'No cell is finished.';
	const isFound = ({ correctedP }: ReportCell) => correctedP !== null && correctedP < level;
	const better = cells.filter((cell) => isFound(cell) && cell.difference!.value! > 0);
	const worse = cells.filter((cell) => isFound(cell) && cell.difference!.value! < 0);
	const of = `of ${cells.length} finished ${cells.length === 1 ? 'cell' : 'cells'}`;
	const names = (own: readonly ReportCell[]) => own.map(({ cell }) => cell.name).join('; ');
	const parts = [
		better.length === 0
			? `None ${of} beats its best baseline in test ROC AUC`
			: `${better.length} ${of} ${better.length === 1 ? 'beats its' : 'beat their'} best baseline in test ROC AUC (${names(better)})`,
		...(worse.length === 0 ? [] : [`${worse.length} ${worse.length === 1 ? 'is' : 'are'} worse than it`]),
	];
	const rest =
		better.length + worse.length === 0
			? 'These data show no difference for any of them.'
			: 'For the rest these data show no difference.';
	return `${parts.join('; ')}, by paired tests corrected for their number. ${rest}`;
}

function missing({ counts, cells }: StudyReport['study']): Markup | undefined {
	const left = counts.pending + counts.running;
	const failed = cells.filter(({ status }) => status === 'failed');
	if (left + failed.length === 0) return undefined;
	const parts = [
		...(left > 0
			? [
					`${left} of ${formatCount(cells.length, 'cell')} ${left === 1 ? 'is' : 'are'} not finished and not in this report.`,
				]
			: []),
		...failed.map(({ name, error }) => `Cell ${name} failed: ${error?.message ?? ''}`),
	];
	return html`<p class="missing">${parts.join(' ')}</p>`;
}

function figureMarkup({ title, caption, drawing }: StudyFigure): Markup {
	return html`<figure>
${drawing ?? html`<h3>${title}</h3>`}
<figcaption>${caption}</figcaption>
</figure>
`;
}

/** The paper's Table 1, the cells that repeat a row under each. */
function paperSection(cells: readonly ReportCell[], notes: Notes): Markup {
	const head = ['ROC AUC', 'F1', 'F1 as the paper measures it', 'hardware', 'hours', 'memory'];
	return html`<section>
<h2>The paper's Table 1</h2>
<div class="scroll"><table class="study"><thead><tr><td></td>${head.map(columnHead)}</tr></thead><tbody>
${paperTable.map((row) =>
	paperRows(
		row,
		cells.filter(({ paperRow }) => paperRow === row),
		notes,
	),
)}
</tbody></table></div>
<p class="note">Bold: as published, with a base of 13 billion parameters and 15 epochs; under it the cells that vary nothing else than its rows do, each with its base, its epochs and what else is not as in the paper. The paper's F1 is at the best threshold for the labels that it scores, ours beside it at the threshold from validation. The data with P3 were mined anew from the same commits, so that those rows do not compare one to one. Hours are those of training and validation.</p>
</section>`;
}

function paperRows(row: PaperRow, cells: readonly ReportCell[], notes: Notes): Markup {
	const method = row.method === 'qlora' ? 'QLoRA' : 'LoRA';
	const name = `${method}, ${row.withP3 ? 'with' : 'without'} P3, ${row.length}, ${row.large}`;
	const published = tableRow(html`<strong>${name}</strong>`, [
		row.rocAuc.toFixed(2),
		'–',
		row.f1.toFixed(2),
		html`<span class="hardware">${row.hardware}</span>`,
		row.hours === null ? '–' : row.hours.toFixed(1),
		'–',
	]);
	const own = cells.map(({ cell, rocAuc, f1, f1Oracle, hardware, besidePaper }) =>
		tableRow(html`${cell.name}<small>${besidePaper}</small>`, [
			metricCell(asMetric(rocAuc), notes),
			metricCell(asMetric(f1), notes),
			metricCell(asMetric(f1Oracle), notes),
			html`<span class="hardware">${hardware}</span>`,
			cell.seconds === null ? '–' : (cell.seconds / 3600).toFixed(2),
			cell.peakBytes === null ? '–' : formatBytes(cell.peakBytes),
		]),
	);
	return html`${published}${own.length > 0 ? own : tableRow('not run here', ['', '', '', '', '', ''])}`;
}

/** Said where the length is not drawn and compared as the runs have it. */
function turnedNote(cells: readonly ReportCell[]): Markup | undefined {
	const turned = cells.filter(({ lengthBefore }) => lengthBefore !== undefined);
	if (turned.length === 0) return undefined;
	const before = [...new Set(turned.map(({ lengthBefore }) => lengthBefore!.toFixed(3)))].join(', ');
	const all = turned.length === cells.length;
	const which = all ? 'All cells call' : `${turned.length} of ${cells.length} cells call`;
	const names = all ? '' : `: ${turned.map(({ cell }) => cell.cell).join(', ')}`;
	return html`<p class="missing">${which} shorter functions vulnerable in their baseline of lengths, which is worse than a coin flip here (ROC AUC ${before})${names}. In this report, in figures and tests alike, their length is read the other way round, so that no run beats a straw man; their own reports have it as it was. Runs that were finished before the training rows chose the direction call the shorter ones, whatever the data.</p>`;
}

function significanceTable(cells: readonly ReportCell[], notes: Notes): Markup {
	const head = ['ROC AUC', 'best baseline', 'difference', 'p, corrected', ''];
	const rows = cells.map(({ cell, rocAuc, best, difference, correctedP }) =>
		tableRow(`${cell.cell}  ${cell.name}`, [
			metricCell(asMetric(rocAuc), notes),
			best === undefined ? '–' : `${best.name} ${best.rocAuc.value!.toFixed(3)}`,
			difference === undefined ? '–' : describeDifference(difference).replace(/, p .*/, ''),
			correctedP === null ? '–' : correctedP < 0.001 ? '< 0.001' : correctedP.toFixed(3),
			outcome(difference?.value ?? null, correctedP),
		]),
	);
	return table(head, rows);
}

function outcome(difference: number | null, correctedP: number | null): string {
	if (difference === null || correctedP === null) return 'undefined';
	if (correctedP >= level) return 'no difference shown';
	return difference > 0 ? 'better' : 'worse';
}

/** The mean at each value of an axis, behind it of how many cells: those that have a partner at every other value. */
export function describeMeans(means: AxisFinding['means']): string {
	if (means.every(({ cells }) => cells === 0)) return 'none, since no cell has a partner at every value';
	return means
		.map(({ value, rocAuc, cells }) =>
			cells === 0
				? `none at ${value} (no cell has a partner at every value)`
				: `${rocAuc.toFixed(3)} at ${value} (${cells} ${cells === 1 ? 'cell' : 'cells'})`,
		)
		.join(', ');
}

function axisSection(findings: readonly AxisFinding[]): Markup | undefined {
	if (findings.length === 0) return undefined;
	return html`<section>
<h2>What the data allow to say, axis by axis</h2>
<p class="note">Written by rules: cells that differ in one option alone are compared on the same test functions (DeLong, paired), those of several seeds together, what the seeds alone do being counted too (Student’s t, after Satterthwaite); where a value always comes with other options, by the grid’s overrides or its cells, these are named; p corrected by Holm's method over all comparisons of the axis.</p>
${findings.map(
	({ axis, means, sentences }) => html`<h3>${axis}</h3>
<p>Mean test ROC AUC: ${describeMeans(means)}. ${sentences.join(' ')}</p>
`,
)}
</section>`;
}

function cellTable(overrides: readonly string[], cells: readonly ReportCell[], notes: Notes): Markup {
	const head = ['test ROC AUC', 'F1', 'test functions', 'vulnerable', 'time', 'memory', 'hardware'];
	// what its name doesn't say
	const besides = ({ settings }: ReportCell['cell']) =>
		overrides.map((option) => `${option} ${shownValue(option, settings[option] ?? null)}`).join(', ');
	const rows = cells.map(({ cell, rocAuc, f1, functions, positives, hardware }) =>
		tableRow(html`${`${cell.cell}  ${cell.name}`}<small>${besides(cell)}</small>`, [
			metricCell(asMetric(rocAuc), notes),
			metricCell(asMetric(f1), notes),
			String(functions),
			String(positives),
			cell.seconds === null ? '–' : formatDuration(cell.seconds),
			cell.peakBytes === null ? '–' : formatBytes(cell.peakBytes),
			html`<span class="hardware">${hardware}</span>`,
		]),
	);
	return table(head, rows);
}

/** A column of words stands to the left, as its cells do. */
function columnHead(name: string): Markup {
	const isWords = name === 'hardware';
	return html`<th scope="col">${isWords ? html`<span class="hardware">${name}</span>` : name}</th>`;
}

function table(head: readonly string[], rows: readonly Markup[]): Markup {
	return html`<div class="scroll"><table class="study"><thead><tr><td></td>${head.map(columnHead)}</tr></thead><tbody>
${rows}
</tbody></table></div>`;
}
