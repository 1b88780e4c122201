import { withoutThreshold } from '../evaluation/render-comparison.ts';
import { formatBytes, formatDuration, formatNumber } from '../terminal/format.ts';
import { calibratedTest } from './calibrated-test.ts';
import { calibrationSection } from './calibration-section.ts';
import { documentPage } from './document-page.ts';
import { errorsSection } from './errors-section.ts';
import type { Figure } from './figure-parts.ts';
import { drawFigures } from './figures.ts';
import { headlineSection } from './headline-section.ts';
import { html, type Markup } from './html.ts';
import { metricsSection } from './metrics-section.ts';
import type { ReportData, RunTimings } from './report-data.ts';
import { tokensTable } from './tokens-table.ts';
import { type TrainingFact, trainingFacts } from './training-facts.ts';
import { weaknessSection } from './weakness-section.ts';

/** Said before anything else where the data were generated. */
export const syntheticWarning =
	'Synthetic data: every function was generated from templates. No number here says anything about real code.';

/** The report of a run as one HTML file. */
export async function renderPage(data: ReportData): Promise<string> {
	const maps = calibratedTest(data);
	const figures = await drawFigures(data, maps);
	const { rows } = data.comparison;
	return documentPage(
		`${data.isSynthetic ? 'Synthetic data: ' : ''}${data.title}`,
		html`<header>
${data.isSynthetic ? html`<p class="synthetic">${syntheticWarning}</p>` : undefined}
<h1>${data.title}</h1>
<p class="verdict">${data.comparison.verdict}</p>
${rows[0]!.evaluation.threshold.value === null ? html`<p class="missing">${withoutThreshold}</p>` : undefined}
<p class="note">${summary(data)}</p>
</header>
<main>
${headlineSection(rows)}
<section>
<h2>On the test split</h2>
<div class="beside">
<div>
${metricsSection(data)}
</div>
<div class="figures">${figures.test.map(figureMarkup)}</div>
</div>
</section>
${errorsSection(data)}
${maps && calibrationSection(maps, figureMarkup(figures.calibrated!))}
${weaknessSection(rows)}
<section>
<h2>How it was trained</h2>
<dl class="facts">${trainingFacts(data).map(factMarkup)}</dl>
${tokensTable(data)}
<div class="figures">${figures.training.map(figureMarkup)}</div>
</section>
${settingsSection(data)}
</main>`,
	);
}

function summary({ timings, run }: ReportData): string {
	return `${[`Run ${run}`, ...(timings === null ? [] : timingParts(timings))].join(' · ')}.`;
}

function factMarkup([name, text]: TrainingFact): Markup {
	return html`<div><dt>${name}</dt><dd>${text}</dd></div>
`;
}

function timingParts({ seconds, tokensPerSecond, peakResidentBytes, peakDeviceBytes }: RunTimings): string[] {
	const parts = [`${formatDuration(seconds)} of training and validation`];
	if (tokensPerSecond !== null) parts.push(`${formatNumber(tokensPerSecond)} tokens/s`);
	const onCard = peakDeviceBytes > 0 ? [`${formatBytes(peakDeviceBytes)} of the card's`] : [];
	return [...parts, `${formatBytes(peakResidentBytes)} of memory at most`, ...onCard];
}

function figureMarkup({ title, caption, drawing }: Figure): Markup {
	return html`<figure>
${drawing ?? html`<h3>${title}</h3>`}
<figcaption>${caption}</figcaption>
</figure>
`;
}

function settingsSection({ config, environment }: ReportData): Markup {
	const facts = Object.entries(environment).map(
		([name, value]) =>
			html`<tr><th scope="row">${name}</th><td>${typeof value === 'string' ? value : JSON.stringify(value)}</td></tr>
`,
	);
	return html`<section>
<h2>How it was made</h2>
<details open><summary>Environment</summary><div class="scroll"><table class="environment"><tbody>${facts}</tbody></table></div></details>
<details><summary>Config, every option spelled out</summary><pre>${config}</pre></details>
</section>`;
}
