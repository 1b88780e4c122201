import { type CalibrationBin, calibrationBins } from './calibration-bins.ts';
import { dashes, draw, type Figure, first, fourth, muted, share, width } from './figure-parts.ts';

/** Probabilities of the same functions, as they come or behind a map. */
export interface CalibrationSeries {
	readonly name: string;
	/** [rows] */
	readonly probabilities: readonly number[];
}

/** A reliability diagram: the share of vulnerable functions among those of like probability, of one series or of two in their colours. */
export async function calibrationFigure(
	title: string,
	labels: readonly number[],
	series: readonly CalibrationSeries[],
): Promise<Figure> {
	const bins = series.flatMap(({ name, probabilities }) =>
		calibrationBins(labels, probabilities).map((bin) => ({ ...bin, series: name })),
	);
	if (bins.length === 0) return { title, caption: 'No function was scored.', drawing: undefined };
	const largest = Math.max(...bins.map(({ count }) => count));
	const names = series.map(({ name }) => name);
	return {
		title,
		caption: `Probabilities in 15 bins; larger dots hold more functions (at most ${largest}). Bars are 95 % intervals of the share. On the dashed line, probabilities mean what they say.`,
		drawing: await draw(
			specification(bins, largest, names),
			`Share of vulnerable functions by probability on the test split, ${names.join(' and ')}`,
		),
	};
}

function specification(
	bins: readonly (CalibrationBin & { readonly series: string })[],
	largest: number,
	names: readonly string[],
) {
	const color = {
		field: 'series',
		type: 'nominal',
		scale: { domain: names, range: [first, fourth].slice(0, names.length) },
		legend: names.length > 1 ? { columns: 2 } : null,
	};
	return {
		width,
		height: width,
		layer: [
			{
				data: { values: [0, 1].map((at) => ({ x: at, y: at })) },
				mark: { type: 'line', color: muted, strokeDash: dashes, strokeWidth: 1.5 },
				encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative' } },
			},
			{
				data: { values: bins },
				mark: { type: 'rule', strokeWidth: 1.5 },
				encoding: {
					x: { field: 'meanProbability', ...share('mean probability') },
					y: { field: 'low', ...share('share vulnerable') },
					y2: { field: 'high' },
					color,
				},
			},
			{
				data: { values: bins },
				mark: { type: 'point', filled: true, opacity: 1 },
				encoding: {
					x: { field: 'meanProbability', type: 'quantitative' },
					y: { field: 'positives', type: 'quantitative' },
					color,
					size: {
						field: 'count',
						type: 'quantitative',
						scale: { domain: [0, largest], range: [15, 260] },
						legend: null,
					},
				},
			},
		],
	};
}
