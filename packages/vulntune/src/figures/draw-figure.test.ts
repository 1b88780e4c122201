import { describe, expect, test } from 'vitest';
import { drawFigure } from './draw-figure.ts';
import { colour, colourVariables, dark, light, standingAlone } from './palette.ts';
import { textWidth } from './text-size.ts';

const words = { title: 'One bar', description: 'A bar from 0 to 1.' };

const bar = {
	data: { values: [{ x: 1 }] },
	mark: { type: 'bar', color: colour('series-1') },
	encoding: { x: { field: 'x', type: 'quantitative' } },
};

describe('a figure', () => {
	test('is a named and described image in the colours of the page', async () => {
		const svg = await drawFigure(bar, words);
		expect(svg).toMatch(/^<svg role="img" [^>]*><title>One bar<\/title><desc>A bar from 0 to 1\.<\/desc>/);
		expect(svg).toContain('fill="var(--series-1)"');
		expect(svg).not.toMatch(/<script|style="|href=/);
	});

	test('loads nothing', async () => {
		await expect(drawFigure({ ...bar, data: { url: 'rows.json' } }, words)).rejects.toThrow('load');
	});

	test('escapes what is foreign, in its words and in the drawing', async () => {
		const foreign = 'a "quoted" <b>&\u0001';
		const svg = await drawFigure({ ...bar, title: foreign }, { title: foreign, description: foreign });
		const escaped = 'a &quot;quoted&quot; &lt;b&gt;&amp;\ufffd';
		expect(svg).toContain(`<title>${escaped}</title><desc>${escaped}</desc>`);
		expect(svg).not.toContain('<b>');
		expect(svg).not.toContain('\u0001');
	});

	test('is as wide as its longest label needs, none cut', async () => {
		const label = 'w'.repeat(60);
		const row = { field: 'label', type: 'nominal', axis: { title: null } };
		const labelled = {
			...bar,
			width: 100,
			data: { values: [{ x: 1, label }] },
			encoding: { ...bar.encoding, y: row },
		};
		const svg = await drawFigure(labelled, words);
		expect(svg).toContain(label);
		const width = Number(/ width="(\d+)"/.exec(svg)![1]);
		expect(width).toBeGreaterThan(100 + textWidth(label, 11));
		expect(width).toBeLessThan(100 + textWidth(label, 11) + 30);
	});

	test('that stands alone has the colours themselves, and turns them on dark paper', async () => {
		const svg = standingAlone(await drawFigure(bar, words));
		expect(svg).toContain(`fill="${light['series-1']}"`);
		expect(svg).not.toContain('var(');
		expect(svg).toContain(`[fill="${light['series-1']}"] { fill: ${dark['series-1']}; }`);
	});
});

test('no two colours of light paper are one, so that each has its own on dark', () => {
	const colours = Object.values(light);
	expect(new Set(colours).size).toBe(colours.length);
});

test('dark paper has a colour for each of the light one, all declared', () => {
	expect(Object.keys(dark)).toEqual(Object.keys(light));
	expect(colourVariables(dark)).toContain(`--series-2: ${dark['series-2']};`);
});
