import { drawFigure } from '../../figures/draw-figure.ts';
import { type ColourName, colour } from '../../figures/palette.ts';
import { dashes, type Figure, height, inline, muted, width } from '../../report/figure-parts.ts';
import { lastPart } from '../../report/report-data.ts';
import type { ReportCell } from './report-cells.ts';

/** A figure of the page that is a file of its own too. */
export interface StudyFigure extends Figure {
	/** Of its files: `report.NAME.svg`. */
	readonly name: string;
	/** The whole drawing, colours as variables. */
	readonly svg: string;
}

const series = [1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}` as ColourName));
const lineStyles = [
	[1, 0],
	[5, 3],
	[2, 2],
	[8, 3, 2, 3],
];

const epochCurves = [
	[
		'f1',
		'F1 per epoch (validation)',
		'At the threshold that suits these very labels best, as the paper draws it: good for choosing an epoch, no result.',
	],
	['rocAuc', 'ROC AUC per epoch (validation)', 'The epoch with the largest value was kept.'],
	[
		'loss',
		'Loss per epoch (validation)',
		'Each run’s own loss: those of other losses or reductions are no measure of each other.',
	],
] as const;

/** Figures 1 and 2 of the paper for all runs, and the test ROC AUC of each with its interval beside the baselines'. */
export async function studyFigures(cells: readonly ReportCell[]): Promise<StudyFigure[]> {
	const curves: StudyFigure[] = [];
	for (const [metric, title, caption] of epochCurves) {
		const trained = cells.filter(
			({ epochs }) => epochs.length > 1 && epochs.some((epoch) => epoch[metric] !== null),
		);
		if (trained.length > 0) curves.push(await epochFigure(trained, metric, title, caption));
	}
	const byData = [
		...Map.groupBy(
			cells.filter(({ rocAuc }) => rocAuc.value !== null),
			({ data }) => data,
		).values(),
	];
	const forests: StudyFigure[] = [];
	for (const [i, own] of byData.entries()) {
		forests.push(await forestFigure(own, byData.length === 1 ? 'forest' : `forest-${i + 1}`));
	}
	return [...forests, ...curves];
}

/** Runs that differ in their seed alone share a line's colour. */
function groupOf({ cell: { name } }: ReportCell): string {
	return cut(name.replace(/(, )?seed=\d+/, '').replace(/^, /, '') || name);
}

/** Vega can't measure text without a canvas and would cut it too early; the tables have the whole name. */
function cut(name: string): string {
	return name.length > 48 ? `${name.slice(0, 47)}…` : name;
}

async function epochFigure(
	cells: readonly ReportCell[],
	metric: 'f1' | 'rocAuc' | 'loss',
	title: string,
	caption: string,
): Promise<StudyFigure> {
	const groups = [...new Set(cells.map(groupOf))];
	const values = cells.flatMap((cell) =>
		cell.epochs.flatMap((epoch) => {
			const value = epoch[metric];
			return value === null ? [] : [{ run: cell.cell.run, group: groupOf(cell), epoch: epoch.epoch, value }];
		}),
	);
	const last = Math.max(...cells.map(({ epochs }) => epochs.at(-1)!.epoch));
	const cycle = <Value>(choices: readonly Value[], at: (index: number) => number) =>
		groups.map((_, index) => choices[at(index) % choices.length]!);
	const legend = { orient: 'bottom', columns: 1, labelLimit: 0, symbolType: 'stroke', symbolSize: 260 };
	const specification = {
		...{ width, height },
		data: { values },
		mark: { type: 'line', strokeWidth: 1.8, point: last <= 20 && { size: 22, filled: true } },
		encoding: {
			x: {
				...{ field: 'epoch', type: 'quantitative', scale: { domain: [1, last], nice: false } },
				axis: {
					title: 'epoch',
					format: 'd',
					tickMinStep: 1,
					tickCount: Math.min(last, 8),
					labelFlush: false,
				},
			},
			y: { field: 'value', type: 'quantitative', axis: { title: null }, scale: { zero: false } },
			detail: { field: 'run', type: 'nominal' },
			color: {
				field: 'group',
				type: 'nominal',
				legend,
				scale: { domain: groups, range: cycle(series, (i) => i) },
			},
			strokeDash: {
				...{ field: 'group', type: 'nominal', legend },
				scale: { domain: groups, range: cycle(lineStyles, (i) => Math.floor(i / series.length)) },
			},
		},
	};
	return drawn(
		metric === 'rocAuc' ? 'roc-auc' : metric,
		title,
		caption,
		specification,
		`${title}, a line for each run`,
	);
}

async function forestFigure(cells: readonly ReportCell[], name: string): Promise<StudyFigure> {
	const labels = uniqueLabels(cells);
	const values = cells.map(({ rocAuc: { value, low, high } }, i) => ({ label: labels[i], value, low, high }));
	const intervals = values.filter(({ low }) => low !== null);
	const baselines = cells[0]!.baselines.filter(
		({ rocAuc, name: own }) => rocAuc.value !== null && own !== 'all-positive',
	);
	const band = baselines.find(({ name: own }) => own === 'ngram') ?? cells[0]!.best;
	const y = {
		field: 'label',
		type: 'nominal',
		sort: null,
		axis: { title: null, labelLimit: 0, domain: false, ticks: false },
	};
	const x = (field: string) => ({
		...{ field, type: 'quantitative', axis: { title: 'test ROC AUC, 95 % interval', tickCount: 6 } },
		scale: { zero: false },
	});
	const layer = [
		...(band?.rocAuc.low == null
			? []
			: [
					{
						data: { values: [{ low: band.rocAuc.low, high: band.rocAuc.high }] },
						mark: { type: 'rect', color: series[1], opacity: 0.15 },
						encoding: { x: x('low'), x2: { field: 'high' } },
					},
				]),
		...baselines.map((baseline) => ({
			data: { values: [{ value: baseline.rocAuc.value }] },
			mark: { type: 'rule', color: baseline.name === 'ngram' ? series[1] : series[3], strokeWidth: 1.5 },
			encoding: { x: x('value') },
		})),
		{
			data: { values: [{ value: 0.5 }] },
			mark: { type: 'rule', color: muted, strokeDash: dashes },
			encoding: { x: x('value') },
		},
		...(intervals.length === 0
			? []
			: [
					{
						data: { values: intervals },
						mark: { type: 'rule', color: series[0], strokeWidth: 2 },
						encoding: { x: x('low'), x2: { field: 'high' }, y },
					},
				]),
		{
			data: { values },
			mark: { type: 'point', filled: true, size: 55, color: series[0], opacity: 1 },
			encoding: { x: x('value'), y },
		},
	];
	const shown = baselines.map(({ name: own, rocAuc }) => `${own} ${rocAuc.value!.toFixed(3)}`).join(', ');
	const data = lastPart(cells[0]!.dataName);
	return drawn(
		name,
		`Test ROC AUC of every run (${data})`,
		`Points with 95 % intervals (DeLong). Upright lines: the baselines (${shown}), the n-grams' with their interval as a band; dashed: a coin flip. An interval that overlaps the band proves nothing either way: the paired tests below do.`,
		{ width, height: { step: 20 }, layer },
		'Test ROC AUC with intervals, a row for each run, beside the baselines',
	);
}

/** Names of cells, those of two grids told apart by their numbers. */
function uniqueLabels(cells: readonly ReportCell[]): string[] {
	const names = cells.map(({ cell }) => cut(cell.name));
	return cells.map(({ cell }, i) =>
		names.filter((name) => name === names[i]).length > 1 ? cut(`${cell.cell}  ${cell.name}`) : names[i]!,
	);
}

async function drawn(
	name: string,
	title: string,
	caption: string,
	specification: object,
	label: string,
): Promise<StudyFigure> {
	const svg = await drawFigure(specification, label);
	return { name, title, caption, drawing: inline(svg), svg };
}
