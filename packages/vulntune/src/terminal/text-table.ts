/**
 * Columns aligned with spaces, for terminals: the first column to the left, the others to the right.
 * @param rows the first is the head, underlined; all of one length
 */
export function textTable(rows: readonly (readonly string[])[]): string {
	const [head = []] = rows;
	const widths = head.map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))));
	const lines = rows.map((row) =>
		widths
			.map((width, column) => {
				const cell = row[column] ?? '';
				const space = ' '.repeat(width - displayWidth(cell));
				return column === 0 ? cell + space : space + cell;
			})
			.join('  ')
			.trimEnd(),
	);
	lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
	return lines.join('\n');
}

/** Characters, not UTF-16 units; our cells hold no wide ones. */
function displayWidth(text: string): number {
	return [...text].length;
}
