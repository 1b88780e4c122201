/** The colours of pages and figures. A figure names them as CSS variables, so that one drawing serves light and dark. */
export type ColourName = keyof typeof light;

/** On white paper. */
export const light = {
	paper: '#ffffff',
	ink: '#1b1f24',
	muted: '#5c6670',
	line: '#d9dee3',
	panel: '#f5f7f9',
	'series-1': '#1f6feb',
	'series-2': '#b35900',
	'series-3': '#7a4fbf',
	'series-4': '#1a7f6b',
	'series-5': '#a8841a',
	'series-6': '#b0477a',
	right: '#e3f4e8',
	wrong: '#fbe6e4',
	warn: '#fff3cd',
} as const;

/** The same on dark paper. */
export const dark: Readonly<Record<ColourName, string>> = {
	paper: '#12161b',
	ink: '#e6eaee',
	muted: '#9aa5b1',
	line: '#333c46',
	panel: '#1a2027',
	'series-1': '#6ea8fe',
	'series-2': '#f0a04b',
	'series-3': '#b595f0',
	'series-4': '#4fc3aa',
	'series-5': '#d9bd5b',
	'series-6': '#e58ab5',
	right: '#173524',
	wrong: '#43211f',
	warn: '#3d3413',
};

/** A colour as the drawings name it. */
export function colour(name: ColourName): string {
	return `var(--${name})`;
}

/** The variables of a palette, as declarations of a style sheet. */
export function colourVariables(palette: Readonly<Record<ColourName, string>>): string {
	return Object.entries(palette)
		.map(([name, value]) => `--${name}: ${value};`)
		.join(' ');
}

/** A drawing with the colours themselves, for a file that stands alone. */
export function withColours(svg: string, palette: Readonly<Record<ColourName, string>>): string {
	return svg.replace(/var\(--([\w-]+)\)/g, (_, name: ColourName) => palette[name]);
}

/**
 * A drawing for a file of its own: in the colours of light paper, with rules that turn them where the reader's system is dark. A program that
 * knows no such rules shows it in light.
 */
export function standingAlone(svg: string): string {
	const rules = (Object.keys(light) as ColourName[]).map(
		(name) =>
			`[fill="${light[name]}"] { fill: ${dark[name]}; } [stroke="${light[name]}"] { stroke: ${dark[name]}; }`,
	);
	const style = `<style>@media (prefers-color-scheme: dark) { ${rules.join(' ')} }</style>`;
	return withColours(svg, light).replace('</desc>', `</desc>${style}`);
}
