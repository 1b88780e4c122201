import { drawFigure } from '../figures/draw-figure.ts';
import { colour } from '../figures/palette.ts';
import { type Markup, trusted } from './html.ts';

/** A drawing and what it shows; without a drawing, why there is none. */
export interface Figure {
	readonly title: string;
	readonly caption: string;
	readonly drawing: Markup | undefined;
}

/** In pixels of the page, as wide as a phone; curves over two shares are square. */
export const width = 330;
export const height = 230;
export const first = colour('series-1');
export const second = colour('series-2');
export const fourth = colour('series-4');
export const paper = colour('paper');
export const muted = colour('muted');
export const dashes = [4, 3];

/** The encoding of an axis from 0 to 1. */
export const share = (title: string) => ({
	type: 'quantitative',
	axis: { title, tickCount: 5, labelFlush: false },
	scale: { domain: [0, 1] },
});

/** A figure inside a page, without the namespaces that a drawing inside HTML does not need. */
export async function draw(specification: object, label: string): Promise<Markup> {
	return inline(await drawFigure(specification, label));
}

/** A drawing as a part of a page. */
export function inline(svg: string): Markup {
	return trusted(svg.replace(/ xmlns(:xlink)?="[^"]*"/g, ''));
}
