import { drawFigure } from '../figures/draw-figure.ts';
import { colour } from '../figures/palette.ts';
import { wrapText } from '../figures/text-size.ts';
import { formatCount } from '../terminal/format.ts';
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

/** What stands over a figure and beneath it. */
export interface FigureText {
	readonly title: string;
	/** What was measured, beneath the title: `400 test functions, 200 vulnerable`. */
	readonly about: string;
	readonly caption: string;
}

/** A drawing that can be read by itself: its title and what was measured stand on top, its caption is its description. */
export function drawTitled(
	specification: object,
	{ title, about, caption }: FigureText,
	frame: { readonly width: number; readonly anchor: 'group' | 'bounds' } = { width, anchor: 'group' },
): Promise<string> {
	const titled = {
		...specification,
		title: {
			text: wrapText(title, 13, frame.width),
			subtitle: wrapText(about, 11, frame.width),
			frame: frame.anchor,
			...{ offset: 10, subtitlePadding: 4 },
		},
	};
	return drawFigure(titled, { title, description: `${about}. ${caption}` });
}

/** A figure of a page. */
export async function draw(specification: object, text: FigureText): Promise<Figure> {
	const { title, caption } = text;
	return { title, caption, drawing: inline(await drawTitled(specification, text)) };
}

/** `400 test functions, 200 vulnerable` */
export function describeFunctions(labels: readonly number[], split: string): string {
	const vulnerable = labels.filter((label) => label === 1).length;
	return `${formatCount(labels.length, `${split} function`)}, ${vulnerable} vulnerable`;
}

/** Said in every figure of generated functions. */
export function synthetic({ isSynthetic }: { readonly isSynthetic: boolean }): string {
	return isSynthetic ? 'Synthetic data: ' : '';
}

/** The encoding of a colour with the dashes that belong to it, for a legend of them both. */
export function strokes(
	entries: readonly (readonly [name: string, colour: string, dash?: readonly number[]])[],
	field: string,
	columns = 2,
) {
	const domain = entries.map(([name]) => name);
	const common = { field, type: 'nominal', legend: { columns, symbolType: 'stroke', symbolSize: 260 } };
	return {
		color: { ...common, scale: { domain, range: entries.map(([, own]) => own) } },
		strokeDash: { ...common, scale: { domain, range: entries.map(([, , dash]) => dash ?? [1, 0]) } },
	};
}

/** A drawing as a part of a page, without the namespaces that one inside HTML does not need. */
export function inline(svg: string): Markup {
	return trusted(svg.replace(/ xmlns(:xlink)?="[^"]*"/g, ''));
}
