import { escapeMarkup } from '../figures/escape-markup.ts';

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
	if (typeof part === 'string') return escapeMarkup(part);
	if (typeof part === 'number') return String(part);
	return 'markup' in part ? part.markup : part.map(render).join('');
}
