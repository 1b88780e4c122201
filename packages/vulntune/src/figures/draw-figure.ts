import type { TopLevelSpec } from 'vega-lite';
import { escapeMarkup, withoutControls } from './escape-markup.ts';
import { colour } from './palette.ts';
import { textWidth } from './text-size.ts';

const font = 'system-ui, sans-serif';

/** What those hear who don't see a figure, and who hold the pointer over it. */
export interface FigureWords {
	readonly title: string;
	readonly description: string;
}

const config = {
	background: colour('paper'),
	font,
	padding: 4,
	view: { stroke: null },
	title: {
		...{ color: colour('ink'), font, fontSize: 13, fontWeight: 'normal', anchor: 'start', frame: 'group' },
		...{ subtitleColor: colour('muted'), subtitleFont: font, subtitleFontSize: 11 },
	},
	axis: {
		labelColor: colour('muted'),
		titleColor: colour('ink'),
		titleFontWeight: 'normal',
		gridColor: colour('line'),
		domainColor: colour('line'),
		tickColor: colour('line'),
		labelFontSize: 11,
		titleFontSize: 12,
		labelFont: font,
		titleFont: font,
		// nothing is cut
		labelLimit: 0,
	},
	legend: {
		labelLimit: 0,
		orient: 'top',
		title: null,
		labelColor: colour('ink'),
		labelFontSize: 12,
		labelFont: font,
		symbolStrokeWidth: 2.5,
	},
	text: { color: colour('ink'), font, fontSize: 12 },
} as const;

/**
 * Draws a Vega-Lite specification as SVG: no script, no style attribute, nothing loaded, colours as CSS variables (see
 * palette.ts). The two libraries take about a second to load, so they are loaded by the first figure.
 *
 * @param specification `compile` checks it; its types tell literal objects apart by strings that TypeScript widens
 */
export async function drawFigure(specification: object, words: FigureWords): Promise<string> {
	const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
	// its types leave it out
	(vega as unknown as { readonly textMetrics: TextMetrics }).textMetrics.width = measuredWidth;
	const { warnings, logger } = collectWarnings();
	const { spec } = compile({ config, ...specification } as TopLevelSpec, { logger });
	const view = new vega.View(vega.parse(spec), { renderer: 'none', loader: refusingLoader, logger });
	try {
		const svg = await view.toSVG();
		if (warnings.length > 0) throw new Error(`a figure can't be drawn: ${warnings.join('; ')}`);
		return named(svg, words);
	} finally {
		view.finalize();
	}
}

/** Figures hold their data; whatever asks for more is a mistake. */
const refusingLoader = {
	load: refuse,
	sanitize: refuse,
	http: refuse,
	file: refuse,
} as const;

function refuse(): Promise<never> {
	return Promise.reject(new Error('a figure may not load anything'));
}

/** What the libraries only warn of is a mistake in a specification. */
function collectWarnings() {
	const warnings: string[] = [];
	const ignore = () => logger;
	const collect = (...messages: readonly unknown[]) => {
		warnings.push(messages.map(String).join(' '));
		return logger;
	};
	const logger = { level: ignore, error: collect, warn: collect, info: ignore, debug: ignore };
	return { warnings, logger };
}

interface TextMetrics {
	width: (item: { readonly fontSize?: number }, text: unknown) => number;
}

/** In place of the library's guess, which is half as wide again. */
const measuredWidth: TextMetrics['width'] = ({ fontSize = 11 }, text) =>
	textWidth(String(text ?? ''), fontSize);

function named(svg: string, { title, description }: FigureWords): string {
	const words = `<title>${escapeMarkup(title)}</title><desc>${escapeMarkup(description)}</desc>`;
	return withoutControls(svg)
		.replace(/<[^>]+>/g, withoutRoles)
		.replace(/^<svg ([^>]*)>/, (_, attributes) => `<svg role="img" ${attributes}>${words}`);
}

/** The parts of an image that is named as a whole have no names of their own. */
function withoutRoles(tag: string): string {
	return tag.replace(/ (role|aria-\w+)="[^"]*"/g, '');
}
