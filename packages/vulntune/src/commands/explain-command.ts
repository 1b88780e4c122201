import { type ExplainOptions, explainFunction } from '../evaluation/explain-function.ts';
import type { Attribution } from '../explanation/attribute-tokens.ts';
import type { LineScore } from '../explanation/line-scores.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { printable } from '../terminal/terminal.ts';

/** What `vulntune explain` does. */
export async function explainFromRequest(
	request: ExplainOptions,
	{ progress }: CommandContext,
): Promise<CommandResult> {
	const explanation = await explainFunction(request, progress.note);
	const { probability, threshold, method, lines, place } = explanation;
	const unread = lines.findIndex(({ score }) => score === null);
	const text = [
		`${place}: ${probability.toFixed(3)} vulnerable${verdict(probability, threshold)}`,
		'',
		...renderLines(lines),
		'',
		meaning[method],
		...(unread < 0
			? []
			: [`Cut to the length of a sequence: lines from ${lines[unread]!.number} on were not read.`]),
	].join('\n');
	return { data: explanation, text: printable(text) };
}

const meaning: Readonly<Record<Attribution, string>> = {
	attention: 'Bars: how much the line is attended to in the first block, as a share of the most of any line.',
	gradient:
		'Bars: gradient × input, as a share of the largest of any line; + speaks for vulnerable, - against it.',
};

function verdict(probability: number, threshold: number | null): string {
	if (threshold === null) return ' (no threshold)';
	return `, ${probability >= threshold ? 'at or above' : 'below'} the threshold of ${threshold.toFixed(3)}`;
}

const barWidth = 10;

function renderLines(lines: readonly LineScore[]): string[] {
	const largest = Math.max(...lines.map(({ score }) => Math.abs(score ?? 0))) || 1;
	const numberWidth = String(lines.at(-1)?.number ?? 1).length;
	return lines.map(({ number, score, text }) => {
		const length = Math.round((Math.abs(score ?? 0) / largest) * barWidth);
		const bar = (score !== null && score < 0 ? '-' : '+').repeat(length).padEnd(barWidth);
		return `${String(number).padStart(numberWidth)} ${bar} ${text.replaceAll('\t', '    ')}`.trimEnd();
	});
}
