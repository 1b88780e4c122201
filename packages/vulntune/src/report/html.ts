/** HTML that is safe to write: only `html` and `trusted` make it. */
export interface Markup {
	readonly markup: string;
}

type Part = Markup | string | number | undefined | readonly Part[];

/**
 * HTML with every string in it escaped, for elements and quoted attributes alike; markup and lists of it go in as they are.
 *
 *     html`<td title="${id}">${id}</td>`
 */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
	return { markup: texts.map((text, index) => text + render(parts[index])).join('') };
}

/** Markup from a source of our own that has escaped everything foreign already. */
export function trusted(markup: string): Markup {
	return { markup };
}

function render(part: Part): string {
	if (part === undefined) return '';
	if (typeof part === 'string') return escapeHtml(part);
	if (typeof part === 'number') return String(part);
	return 'markup' in part ? part.markup : part.map(render).join('');
}

const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** Also replaces control characters that no HTML document may hold. */
function escapeHtml(text: string): string {
	return (
		text
			.toWellFormed()
			.replace(/[&<>"']/g, (character) => entities[character]!)
			// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
			.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '\ufffd')
	);
}
