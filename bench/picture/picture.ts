import { colour, drawFigure, standingAlone } from 'vulntune';
import type { BenchReport } from '../report.ts';
import { type Bar, limitBars } from './bars.ts';
import { type PartedStep, partedSteps, partNames } from './parts.ts';

const WIDTH = 440;
const ROW = { step: 20 };
/** Room for the names of rows, the same in both halves. */
const LABELS = 250;
/** Where the words behind the bars begin. */
const BEHIND = WIDTH + 10;

const partColours = [
	...(['series-1', 'series-4', 'series-3', 'series-2', 'series-5', 'series-6', 'line'] as const),
].map(colour);

/** Shares of the limit above, the parts of the training steps below, as an SVG file. */
export async function drawPicture(report: BenchReport): Promise<string> {
	const { cpu, cores, isa } = report.machine;
	const title = `vulntune on ${cores} cores of ${cpu}, ${isa}`;
	const specification = {
		title: { text: title, fontSize: 14, offset: 12 },

		padding: 16,
		spacing: 40,
		resolve: { scale: { color: 'independent', x: 'independent', y: 'independent' } },
		vconcat: [limitChart(limitBars(report.rows)), partChart(partedSteps(report))],
	};
	const svg = await drawFigure(specification, {
		title,
		description: 'Shares of the limit by row, and the parts of a training step.',
	});
	return `${standingAlone(svg)}\n`;
}

function limitChart(bars: readonly Bar[]) {
	const row = rowAxis(bars.map(({ label }) => label));
	const x = (field: string) => ({ ...shareScale(field), title: null });
	const legend = { domain: ['vulntune', 'best peer', 'target'], range: markColours };
	const kind = (name: string) => ({ datum: name, type: 'nominal', scale: legend });
	const only = (field: string) => [{ filter: `isValid(datum.${field})` }];
	return {
		title: 'Share of the peak, multiply-adds in registers',
		width: WIDTH,
		height: ROW,
		data: { values: bars.map(({ range, ...bar }) => ({ ...bar, low: range?.[0], high: range?.[1] })) },
		encoding: { y: row },
		layer: [
			{
				transform: only('share'),
				mark: { type: 'bar', height: 13 },
				encoding: { x: x('share'), color: kind('vulntune') },
			},
			{
				transform: only('low'),
				mark: { type: 'rule', color: colour('ink') },
				encoding: { x: x('low'), x2: { field: 'high' } },
			},
			{
				transform: only('peer'),
				mark: { type: 'tick', thickness: 4, height: 13, opacity: 1 },
				encoding: { x: x('peer'), color: kind('best peer') },
			},
			{
				transform: only('target'),
				mark: { type: 'tick', thickness: 2, height: 19, opacity: 1 },
				encoding: { x: x('target'), color: kind('target') },
			},
			{
				mark: { type: 'text', align: 'left', color: colour('muted') },
				encoding: { x: { value: BEHIND }, text: { field: 'text' } },
			},
		],
	};
}

const markColours = [colour('series-1'), colour('series-2'), colour('ink')];

function partChart(steps: readonly PartedStep[]) {
	const row = rowAxis(steps.map(({ name }) => name));
	const parts = steps.flatMap(({ name, parts }) =>
		parts.map((part, order) => ({ label: name, part: part.name, share: part.share, order })),
	);
	const floors = steps.flatMap(({ name, floor }) => (floor === undefined ? [] : [{ label: name, floor }]));
	return {
		title: 'Parts of a training step; mark: its products at the peak',
		width: WIDTH,
		height: ROW,
		encoding: { y: row },
		layer: [
			{
				data: { values: parts },
				mark: { type: 'bar', height: 13 },
				encoding: {
					x: { ...shareScale('share'), title: null },
					color: {
						field: 'part',
						type: 'nominal',
						scale: { domain: partNames, range: partColours },
						legend: { columns: 2, labelLimit: 0 },
					},
					order: { field: 'order', type: 'quantitative' },
				},
			},
			{
				data: { values: floors },
				mark: { type: 'tick', thickness: 2, height: 19, opacity: 1, color: colour('ink') },
				encoding: { x: { field: 'floor', type: 'quantitative' } },
			},
		],
	};
}

function rowAxis(labels: readonly string[]) {
	return {
		field: 'label',
		type: 'nominal',
		scale: { domain: labels },
		axis: { title: null, labelLimit: LABELS, minExtent: LABELS, ticks: false, domain: false },
	};
}

function shareScale(field: string) {
	return {
		field,
		type: 'quantitative',
		scale: { domain: [0, 1] },
		axis: { tickCount: 5, labelFlush: false },
	};
}
