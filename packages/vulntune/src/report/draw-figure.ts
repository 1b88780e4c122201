import type { TopLevelSpec } from 'vega-lite';
import { type Markup, trusted } from './html.ts';

/** The colours of the page: CSS variables, so that one drawing serves light and dark. */
const ink = 'var(--ink)';
const mutedInk = 'var(--muted)';
const font = 'system-ui, sans-serif';

const config = {
	aria: false,
	background: 'transparent',
	font,
	padding: 4,
	view: { stroke: null },
	axis: {
		labelColor: mutedInk,
		titleColor: ink,
		titleFontWeight: 'normal',
		gridColor: 'var(--line)',
		domainColor: 'var(--line)',
		tickColor: 'var(--line)',
		labelFontSize: 11,
		titleFontSize: 12,
		labelFont: font,
		titleFont: font,
	},
	legend: {
		orient: 'top',
		title: null,
		labelColor: ink,
		labelFontSize: 12,
		labelFont: font,
		symbolStrokeWidth: 2.5,
	},
} as const;

/**
 * Draws a Vega-Lite specification as SVG that can stand inside a page: no script, no style attribute, nothing loaded. The two
 * libraries take about a second to load, so they are loaded by the first figure.
 */
export async function drawFigure(
	specification: Omit<TopLevelSpec, 'config'>,
	label: string,
): Promise<Markup> {
	const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
	const { spec } = compile({ config, ...specification } as TopLevelSpec);
	const view = new vega.View(vega.parse(spec), { renderer: 'none', loader: refusingLoader });
	try {
		const svg = await view.toSVG();
		return trusted(forPage(svg, label));
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

/** Named for screen readers, and without the namespaces that a drawing inside HTML does not need. */
function forPage(svg: string, label: string): string {
	if (!/^[\w ,.()/%-]*$/.test(label)) throw new Error(`not a label of ours: ${label}`);
	return svg
		.replace(/ xmlns(:xlink)?="[^"]*"/g, '')
		.replace('<svg ', `<svg role="img" aria-label="${label}" `);
}
