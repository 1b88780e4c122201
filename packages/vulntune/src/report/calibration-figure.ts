import { type CalibrationBin, calibrationBins } from './calibration-bins.ts';
import {
	dashes,
	describeFunctions,
	draw,
	type Figure,
	first,
	fourth,
	muted,
	share,
	strokes,
	width,
} from './figure-parts.ts';

/** Probabilities of the same functions, as they come or behind a map. */
export interface CalibrationSeries {
	readonly name: string;
	/** [rows] */
	readonly probabilities: readonly number[];
}

/**
 * A reliability diagram: the share of vulnerable functions among those of like probability, of one series or of two in their colours.
 *
 * @param before what is said before the number of functions
 */
export async function calibrationFigure(
	title: string,
	labels: readonly number[],
	series: readonly CalibrationSeries[],
	before = '',
): Promise<Figure> {
	const bins = series.flatMap(({ name, probabilities }) =>
		calibrationBins(labels, probabilities).map((bin) => ({ ...bin, series: name })),
	);
	if (bins.length === 0) return { title, caption: 'No function was scored.', drawing: undefined };
	const largest = Math.max(...bins.map(({ count }) => count));
	const names = series.map(({ name }) => name);
	return draw(specification(bins, largest, names), {
		title,
		about: `${before}${describeFunctions(labels, 'test')}`,
		caption: `Probabilities in 15 bins; larger dots hold more functions (at most ${largest}). Bars are 95 % intervals of the share. On the dashed line, probabilities mean what they say.`,
	});
}

/** The line on which a share of vulnerable functions is what their probability says. */
const ideal = 'means what it says';

function specification(
	bins: readonly (CalibrationBin & { readonly series: string })[],
	largest: number,
	names: readonly string[],
) {
	const entries = [
		...names.map((name, i) => [name, [first, fourth][i]!] as const),
		[ideal, muted, dashes] as const,
	];
	const ofSeries = strokes(entries, 'series');
	return {
		width,
		height: width,
		layer: [
			{
				data: { values: [0, 1].map((at) => ({ x: at, y: at, series: ideal })) },
				mark: { type: 'line', strokeWidth: 1.5 },
				encoding: {
					x: { field: 'x', type: 'quantitative' },
					y: { field: 'y', type: 'quantitative' },
					...ofSeries,
				},
			},
			{
				data: { values: bins },
				mark: { type: 'rule', strokeWidth: 1.5 },
				encoding: {
					x: { field: 'meanProbability', ...share('mean probability') },
					y: { field: 'low', ...share('share vulnerable') },
					y2: { field: 'high' },
					...ofSeries,
				},
			},
			{
				data: { values: bins },
				mark: { type: 'point', filled: true, opacity: 1 },
				encoding: {
					x: { field: 'meanProbability', type: 'quantitative' },
					y: { field: 'positives', type: 'quantitative' },
					color: ofSeries.color,
					size: {
						field: 'count',
						type: 'quantitative',
						scale: { domain: [0, largest], range: [15, 260] },
						legend: {
							...{
								title: 'functions in a bin',
								titleColor: muted,
								titleFontWeight: 'normal',
								titleFontSize: 11,
							},
							...{
								orient: 'bottom',
								direction: 'horizontal',
								values: [...new Set([1, 2, 4].map((parts) => Math.ceil(largest / parts)))],
								format: 'd',
							},
							...{ symbolFillColor: muted, symbolStrokeColor: muted, symbolOpacity: 1 },
						},
					},
				},
			},
		],
	};
}
