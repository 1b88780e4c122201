import { dashes, muted, strokes, synthetic } from '../../report/figure-parts.ts';
import { lastPart } from '../../report/report-data.ts';
import { formatCount } from '../../terminal/format.ts';
import type { StoredMetric } from '../ledger/results.ts';
import type { ReportCell } from './report-cells.ts';
import { inLines, labelLines, type StudyFigure, series, studyFigure } from './study-figure.ts';
import { cellLabels } from './study-labels.ts';

const plotWidth = 360;
/** Of the names of cells, in pixels. */
const labelWidth = 310;
const fontSize = 11;

/** A baseline of the runs of a figure. */
interface Beside {
	readonly name: string;
	readonly colour: string;
	/** Its ROC AUC beside each run; undefined where a run has none. */
	readonly areas: readonly (StoredMetric | undefined)[];
	/** Where it is the same beside all of them: an upright line. Else each row has a mark of its own. */
	readonly common: StoredMetric | undefined;
	/** In the legend. */
	readonly legend: string;
}

/** The test ROC AUC of cells of one dataset, a row each, with intervals and beside the baselines. */
export function forestFigure(cells: readonly ReportCell[], name: string): Promise<StudyFigure> {
	const labels = cellLabels(cells).map((label) => labelLines(label, fontSize, labelWidth));
	const besides = besidesOf(cells);
	const band = besides.find(({ name: own, common }) => own === 'ngram' && common?.low != null)?.common;
	const legend = [
		['a run, with its 95 % interval', series[0]!],
		...besides.map((own) => [own.legend, own.colour] as const),
		['a coin flip: 0.5', muted, dashes],
	] as const;
	const rows = cells.map(({ rocAuc: { value, low, high } }, i) => ({ label: labels[i], value, low, high }));
	const intervals = rows.filter(({ low }) => low !== null);
	const lines = Math.max(...labels.map((label) => label.split('\n').length));
	const encode = (of: object) => ({ ...of, ...strokes(legend, 'series', 1) });
	const y = {
		...{ field: 'label', type: 'nominal', sort: null },
		axis: {
			...{ title: null, domain: false, ticks: false, labelExpr: inLines },
			// the middle of all lines, not the first one, is where the row is
			labelOffset: { expr: `${-(fontSize + 2) / 2} * (length(split(datum.label, '\\n')) - 1)` },
		},
	};
	const x = (field: string) => ({
		...{ field, type: 'quantitative', axis: { title: 'test ROC AUC', tickCount: 6, labelFlush: false } },
		scale: { zero: false },
	});
	const upright = [
		...besides.flatMap(({ common, legend: series }) =>
			common === undefined ? [] : [{ value: common.value, series }],
		),
		{ value: 0.5, series: 'a coin flip: 0.5' },
	];
	const marks = besides.flatMap(({ common, areas, legend: series }) =>
		common === undefined
			? areas.flatMap((area, i) =>
					area === undefined ? [] : [{ label: labels[i], value: area.value, series }],
				)
			: [],
	);
	const layer = [
		...(band === undefined
			? []
			: [
					{
						data: { values: [{ low: band.low, high: band.high }] },
						mark: { type: 'rect', color: series[1], opacity: 0.15 },
						encoding: { x: x('low'), x2: { field: 'high' } },
					},
				]),
		{
			data: { values: upright },
			mark: { type: 'rule', strokeWidth: 1.5 },
			encoding: encode({ x: x('value') }),
		},
		...(marks.length === 0
			? []
			: [
					{
						data: { values: marks },
						mark: { type: 'tick', thickness: 3, height: 14, opacity: 1 },
						encoding: { x: x('value'), y, color: strokes(legend, 'series', 1).color },
					},
				]),
		...(intervals.length === 0
			? []
			: [
					{
						data: { values: intervals.map((row) => ({ ...row, series: legend[0][0] })) },
						mark: { type: 'rule', strokeWidth: 2 },
						encoding: encode({ x: x('low'), x2: { field: 'high' }, y }),
					},
				]),
		{
			data: { values: rows },
			mark: { type: 'point', filled: true, size: 55, color: series[0], opacity: 1 },
			encoding: { x: x('value'), y },
		},
	];
	const { dataName, functions, positives } = cells[0]!;
	const own =
		marks.length > 0 ? ' Short upright marks: the baseline of that run, which was fitted to other rows.' : '';
	const shade = band === undefined ? '' : ' The band is the interval of the n-grams.';
	return studyFigure(
		name,
		{ width: plotWidth, height: { step: 8 + (fontSize + 2) * lines }, layer },
		{
			title: 'Test ROC AUC of every run',
			about: `${synthetic(cells[0]!)}${lastPart(dataName)}: ${formatCount(functions, 'test function')}, ${positives} vulnerable; ${formatCount(cells.length, 'run')}`,
			caption: `Points with 95 % intervals (DeLong); further right is better.${shade}${own} An interval that overlaps that of a baseline proves nothing either way: the paired tests below do.`,
		},
		{ width: plotWidth + labelWidth, anchor: 'bounds' },
	);
}

function besidesOf(cells: readonly ReportCell[]): Beside[] {
	const names = new Set(cells.flatMap(({ baselines }) => baselines.map(({ name }) => name)));
	// calling everything vulnerable is the coin flip
	names.delete('all-positive');
	return [...names].flatMap((name) => {
		const areas = cells.map(({ baselines }) => {
			const area = baselines.find((own) => own.name === name)?.rocAuc;
			return area?.value == null ? undefined : area;
		});
		const found = areas.filter((area) => area !== undefined);
		const [first] = found;
		if (first === undefined) return [];
		const shown = [...new Set(found.map(({ value }) => value!.toFixed(3)))].toSorted();
		const common = shown.length === 1 ? first : undefined;
		const values = common === undefined ? `of each run: ${shown[0]} to ${shown.at(-1)}` : shown[0];
		const colour = name === 'ngram' ? series[1]! : series[3]!;
		const legend = `${name} ${values}${name === 'ngram' && common?.low != null ? ', with its interval' : ''}`;
		return [{ name, colour, areas, common, legend }];
	});
}
