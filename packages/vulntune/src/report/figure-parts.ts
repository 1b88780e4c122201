import { drawFigure } from './draw-figure.ts';
import type { Markup } from './html.ts';

/** A drawing and what it shows; without a drawing, why there is none. */
export interface Figure {
	readonly title: string;
	readonly caption: string;
	readonly drawing: Markup | undefined;
}

/** In pixels of the page, as wide as a phone; curves over two shares are square. */
export const width = 330;
export const height = 230;
/** CSS variables of the page. */
export const first = 'var(--series-1)';
export const second = 'var(--series-2)';
export const muted = 'var(--muted)';
export const dashes = [4, 3];

/** The types of Vega-Lite tell literal objects apart by strings that TypeScript widens; `compile` checks them anyway. */
export function draw(specification: object, label: string): Promise<Markup> {
	return drawFigure(specification as Parameters<typeof drawFigure>[0], label);
}
