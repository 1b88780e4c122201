import { describe, expect, test } from 'vitest';
import { drawFigure } from './draw-figure.ts';
import { colour, colourVariables, dark, light, withColours } from './palette.ts';

const bar = {
	data: { values: [{ x: 1 }] },
	mark: { type: 'bar', color: colour('series-1') },
	encoding: { x: { field: 'x', type: 'quantitative' } },
};

describe('a figure', () => {
	test('is a named image in the colours of the page', async () => {
		const svg = await drawFigure(bar, 'One bar, of 1');
		expect(svg).toMatch(/^<svg role="img" aria-label="One bar, of 1" /);
		expect(svg).toContain('fill="var(--series-1)"');
		expect(svg).not.toMatch(/<script|style="|href=/);
	});

	test('has the colours themselves where it stands alone', async () => {
		const svg = withColours(await drawFigure(bar, 'One bar'), light);
		expect(svg).toContain(`fill="${light['series-1']}"`);
		expect(svg).not.toContain('var(');
	});

	test('loads nothing', async () => {
		await expect(drawFigure({ ...bar, data: { url: 'rows.json' } }, 'One bar')).rejects.toThrow('load');
	});

	test('takes no label that would need escaping', async () => {
		await expect(drawFigure(bar, 'a "quoted" name')).rejects.toThrow('label');
	});
});

test('dark paper has a colour for each of the light one, all declared', () => {
	expect(Object.keys(dark)).toEqual(Object.keys(light));
	expect(colourVariables(dark)).toContain(`--series-2: ${dark['series-2']};`);
});
