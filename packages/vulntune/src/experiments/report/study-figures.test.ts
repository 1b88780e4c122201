import { describe, expect, it } from 'vitest';
import type { ReportCell } from './report-cells.ts';
import { studyFigures } from './study-figures.ts';

const area = (value: number) => ({ value, low: value - 0.05, high: value + 0.05, reason: null });

function cellOf(
	name: string,
	more: object = {},
	baselines: Readonly<Record<string, number>> = {},
): ReportCell {
	const areas = { 'all-positive': 0.5, length: 0.55, ngram: 0.7, ...baselines };
	return {
		cell: { cell: name, grid: 'g', name, run: name },
		...{ data: 'd', dataName: '/data/x1.tar.gz', functions: 252, positives: 123 },
		rocAuc: area(0.6),
		baselines: Object.entries(areas).map(([own, value]) => ({ name: own, rocAuc: area(value) })),
		epochs: [1, 2].map((epoch) => ({ epoch, loss: 1 / epoch, rocAuc: 0.5 + epoch / 10, f1: 0.6 })),
		validation: { functions: 262, vulnerable: 131 },
		...more,
	} as unknown as ReportCell;
}

/** Texts of a drawing, in their order. */
const textsOf = (svg: string) => [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text]) => text!);

async function textsOfFigure(name: string, cells: readonly ReportCell[]): Promise<string[]> {
	const figures = await studyFigures(cells);
	return textsOf(figures.find((figure) => figure.name === name)!.svg);
}

describe('the forest', () => {
	it('says by itself what it shows: title, data, axis, and each kind of mark', async () => {
		const texts = await textsOfFigure('forest', [cellOf('rank=4'), cellOf('rank=8')]);
		for (const text of [
			...['Test ROC AUC of every run', 'x1: 252 test functions, 123 vulnerable; 2 runs', 'test ROC AUC'],
			...['a run, with its 95 % interval', 'length 0.550', 'ngram 0.700, with its interval'],
			...['a coin flip: 0.5', 'rank=4', 'rank=8'],
		]) {
			expect(texts).toContain(text);
		}
	});

	it('says that data are synthetic', async () => {
		const cells = [cellOf('a', { isSynthetic: true })];
		for (const { svg } of await studyFigures(cells))
			expect(textsOf(svg).join(' ')).toContain('Synthetic data: x1: 2');
	});

	it('cuts no name, however long, and names each row otherwise', async () => {
		const long = `targets=${'q_proj+'.repeat(12)}, seed=1`;
		const numbered = [1, 2].map((cell) => {
			const own = cellOf('a');
			return { ...own, cell: { ...own.cell, cell: String(cell) } };
		});
		const texts = await textsOfFigure('forest', [cellOf(long), ...numbered]);
		expect(texts.join('')).toContain(long.replace(/ .*/, ''));
		expect(texts.filter((text) => text === '1  a' || text === '2  a')).toHaveLength(2);
	});

	it('draws a baseline that is not the same beside all runs in each row, and says so', async () => {
		const cells = [cellOf('sample=0.5', {}, { ngram: 0.65 }), cellOf('sample=1')];
		const [forest] = await studyFigures(cells);
		expect(textsOf(forest!.svg)).toContain('ngram of each run: 0.650 to 0.700');
		expect(forest!.caption).toContain('Short upright marks: the baseline of that run');
		expect(forest!.caption).not.toContain('The band');
		const [same] = await studyFigures(cells.slice(1));
		expect(same!.caption).toContain('The band is the interval of the n-grams.');
	});
});

describe('curves over epochs', () => {
	it('say by themselves what they show, and that seeds share a line style', async () => {
		const cells = [1, 2].map((seed) => cellOf(`rank=4, seed=${seed}`));
		const texts = await textsOfFigure('roc-auc', [...cells, cellOf('seed=1, rank=8')]);
		for (const text of ['ROC AUC per epoch (validation)', 'ROC AUC (0 to 1)', 'epoch', 'rank=4', 'rank=8']) {
			expect(texts).toContain(text);
		}
		expect(texts.join(' ')).toContain(
			'x1: 262 validation functions, 131 vulnerable; 3 runs of 2 settings, a line for each seed',
		);
	});

	it('of two grids whose cells have the same names are told apart', async () => {
		const other = cellOf('seed=1, rank=4');
		const texts = await textsOfFigure('f1', [
			cellOf('seed=1, rank=4'),
			{ ...other, cell: { ...other.cell, grid: 'h', run: 'h' } },
		]);
		expect(texts).toContain('g: rank=4');
		expect(texts).toContain('h: rank=4');
	});

	it('name the settings that came furthest, where there are more than can be told apart', async () => {
		const cells = Array.from({ length: 15 }, (_, i) =>
			cellOf(`rank=${i + 1}`, {
				epochs: [1, 2].map((epoch) => ({ epoch, loss: 1, rocAuc: 0.9 - i / 100, f1: 0.5 })),
			}),
		);
		const texts = await textsOfFigure('f1', cells);
		expect(texts).toContain('rank=12');
		expect(texts).not.toContain('rank=13');
		expect(texts).toContain('the other 3');
		const [, curves] = await studyFigures(cells);
		expect(curves!.caption).toContain('Of 15 settings the 12 with the highest validation ROC AUC');
	});
});

it('each dataset has figures of its own, by its number in all of them', async () => {
	const other = cellOf('b', { data: 'e', epochs: [] });
	const names = (await studyFigures([other, cellOf('a')])).map(({ name }) => name);
	expect(names).toEqual(['forest-1', 'forest-2', 'f1-2', 'roc-auc-2', 'loss-2']);
});
