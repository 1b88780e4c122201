import type { TopLevelSpec } from 'vega-lite';
import { colour } from './palette.ts';

const font = 'system-ui, sans-serif';

const config = {
	aria: false,
	background: 'transparent',
	font,
	padding: 4,
	view: { stroke: null },
	title: { color: colour('ink'), font, fontSize: 13, fontWeight: 'normal', anchor: 'start', frame: 'group' },
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
	},
	legend: {
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
 * @param label what screen readers say
 */
export async function drawFigure(specification: object, label: string): Promise<string> {
	const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
	const { warnings, logger } = collectWarnings();
	const { spec } = compile({ config, ...specification } as TopLevelSpec, { logger });
	const view = new vega.View(vega.parse(spec), { renderer: 'none', loader: refusingLoader, logger });
	try {
		const svg = await view.toSVG();
		if (warnings.length > 0) throw new Error(`a figure can't be drawn: ${warnings.join('; ')}`);
		return named(svg, label);
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

function named(svg: string, label: string): string {
	if (!/^[\w ,.()/%@-]*$/.test(label)) throw new Error(`not a label of ours: ${label}`);
	return svg.replace('<svg ', `<svg role="img" aria-label="${label}" `);
}
