/** The comment that a config file begins with, line by line: what it is, and where its model and data come from. */
export function headComment(text: string): string[] {
	const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
	const end = lines.findIndex((line) => !line.startsWith('#'));
	return lines.slice(0, end < 0 ? lines.length : end).map((line) => line.replace(/^# ?/, ''));
}
