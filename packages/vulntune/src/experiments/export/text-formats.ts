import type { Study } from '../read-study.ts';
import { exportTable, readableTable } from './table.ts';

/** RFC 4180, with line feeds; what is undefined is empty. */
export function toCsv(study: Study): string {
	const { columns, rows } = exportTable(study);
	const field = (value: string | number | null) => {
		const text = value === null ? '' : String(value);
		return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
	};
	return [columns, ...rows].map((row) => `${row.map(field).join(',')}\n`).join('');
}

/** A table of GitHub's Markdown. */
export function toMarkdown(study: Study): string {
	const [head, ...rows] = readableTable(study).map((row) => row.map((text) => text.replaceAll('|', '\\|')));
	const line = (row: readonly string[]) => `| ${row.join(' | ')} |\n`;
	return [line(head!), line(head!.map(() => '---')), ...rows.map(line)].join('');
}

/** A `tabular` with the rules of booktabs. */
export function toLatex(study: Study): string {
	const [head, ...rows] = readableTable(study).map((row) => row.map(escapeLatex));
	const line = (row: readonly string[]) => `\t${row.join(' & ')} \\\\\n`;
	return [
		`\\begin{tabular}{${'l'.repeat(head!.length)}}\n`,
		...['\t\\toprule\n', line(head!), '\t\\midrule\n'],
		...rows.map(line),
		...['\t\\bottomrule\n', '\\end{tabular}\n'],
	].join('');
}

const special: Readonly<Record<string, string>> = {
	'\\': '\\textbackslash{}',
	'~': '\\textasciitilde{}',
	'^': '\\textasciicircum{}',
	'–': '--',
};

function escapeLatex(text: string): string {
	return text.replace(/[\\~^–&%$#_{}]/g, (character) => special[character] ?? `\\${character}`);
}
