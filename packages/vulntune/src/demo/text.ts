/** Java source as lines; indentation is a tab-free four spaces per level. */

/** One statement, or a block of several lines that belong together. */
export type Statement = readonly string[];

/** Replaces each `{key}` of a template by its value; unknown keys are left as they are. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
	return template.replace(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole);
}

export function indent(lines: readonly string[]): string[] {
	return lines.map((line) => '    ' + line);
}

/** `header {`, the lines one level deeper, `}`. */
export function block(header: string, lines: readonly string[]): string[] {
	return [`${header} {`, ...indent(lines), '}'];
}

export function capitalise(word: string): string {
	return word.charAt(0).toUpperCase() + word.slice(1);
}
