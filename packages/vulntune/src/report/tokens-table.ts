import type { SplitStatistics } from '../data/split-statistics.ts';
import { formatNumber } from '../terminal/format.ts';
import { html, type Markup } from './html.ts';
import { tableRow } from './metric-parts.ts';
import type { ReportData } from './report-data.ts';

/** How long the functions of each split are; undefined where the run counted no tokens. */
export function tokensTable({ data }: ReportData): Markup | undefined {
	if (data === null || data.sequenceLength === null) return undefined;
	const { train, valid, test } = data.splits;
	const rows = [splitRow('training', train), splitRow('validation', valid), splitRow('test', test)];
	return html`<h3>Functions in tokens</h3>
<div class="scroll"><table>
<thead><tr><td></td><th scope="col">functions</th><th scope="col">tokens</th><th scope="col">median</th><th scope="col">9 in 10 at most</th><th scope="col">longest</th><th scope="col">longer than a sequence</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>
<p class="note">A sequence holds functions of up to ${formatNumber(data.sequenceLength - 1)} tokens whole.</p>`;
}

function splitRow(name: string, { functions, tokens }: SplitStatistics): Markup | undefined {
	if (tokens === null) return undefined;
	const { median, p90, max, longer, longerShare } = tokens;
	return tableRow(name, [
		...[functions, tokens.tokens, median, p90, max].map(formatNumber),
		`${formatNumber(longer)} (${(100 * longerShare).toFixed(1)} %)`,
	]);
}
