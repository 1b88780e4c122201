import type { Comparison } from '../evaluation/compare-with-baselines.ts';
import type { Prediction } from '../evaluation/predictions.ts';
import { precisionRecallCurve, rocCurve } from '../metrics/curves.ts';
import { curveOf } from '../metrics/ranking.ts';
import { calibrationBins } from './calibration-bins.ts';
import { dashes, draw, type Figure, first, muted, second, width } from './figure-parts.ts';
import type { ReportData } from './report-data.ts';
import { thin } from './thin.ts';

/** Labels and probabilities of the scored functions. */
function scored(predictions: readonly Prediction[]): { labels: number[]; probabilities: number[] } {
	const rows = predictions.filter(({ probability }) => probability !== null);
	return { labels: rows.map(({ label }) => label), probabilities: rows.map((row) => row.probability!) };
}

const share = (title: string) => ({
	type: 'quantitative',
	axis: { title, tickCount: 5 },
	scale: { domain: [0, 1] },
});

const diagonal = {
	data: { values: [0, 1].map((at) => ({ x: at, y: at })) },
	mark: { type: 'line', color: muted, strokeDash: dashes, strokeWidth: 1.5 },
	encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative' } },
};

/** The point at which the model is run: its threshold from validation. */
const operatingPoint = (point: { x: number; y: number } | undefined) =>
	point === undefined
		? []
		: [
				{
					data: { values: [point] },
					mark: { type: 'point', filled: true, size: 90, color: second, opacity: 1 },
					encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative' } },
				},
			];

const pointNote = 'The dot is the threshold from validation.';

export async function rocFigure(data: ReportData): Promise<Figure> {
	const title = 'ROC curve (test)';
	const { labels, probabilities } = scored(data.test);
	const curve = rocCurve(curveOf(labels, probabilities));
	if (curve.status !== 'ok') return { title, caption: `Undefined: ${curve.reason}.`, drawing: undefined };
	const values = curve.falsePositiveRate.map((x, index) => ({ x, y: curve.truePositiveRate[index]!, index }));
	const confusion = confusionOf(data.comparison);
	const specification = {
		width,
		height: width,
		layer: [
			diagonal,
			{
				data: { values: thin(values) },
				mark: { type: 'line', color: first, strokeWidth: 2.5 },
				encoding: {
					x: { field: 'x', ...share('false-positive rate') },
					y: { field: 'y', ...share('recall') },
					order: { field: 'index', type: 'quantitative' },
				},
			},
			...operatingPoint(
				confusion && {
					x: confusion.falsePositives / (confusion.falsePositives + confusion.trueNegatives),
					y: confusion.truePositives / (confusion.truePositives + confusion.falseNegatives),
				},
			),
		],
	};
	return {
		title,
		caption: `The dashed line is chance. ${confusion === undefined ? '' : pointNote}`,
		drawing: await draw(specification, 'ROC curve on the test split'),
	};
}

export async function precisionRecallFigure(data: ReportData): Promise<Figure> {
	const title = 'Precision and recall (test)';
	const { labels, probabilities } = scored(data.test);
	const curve = precisionRecallCurve(curveOf(labels, probabilities));
	if (curve.status !== 'ok') return { title, caption: `Undefined: ${curve.reason}.`, drawing: undefined };
	const values = curve.recall.map((x, index) => ({ x, y: curve.precision[index]!, index }));
	const prevalence = labels.reduce((sum, label) => sum + label, 0) / labels.length;
	const confusion = confusionOf(data.comparison);
	const called = confusion === undefined ? 0 : confusion.truePositives + confusion.falsePositives;
	const specification = {
		width,
		height: width,
		layer: [
			{
				data: { values: [0, 1].map((x) => ({ x, y: prevalence })) },
				mark: { type: 'line', color: muted, strokeDash: dashes, strokeWidth: 1.5 },
				encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative' } },
			},
			{
				data: { values: thin(values) },
				mark: { type: 'line', color: first, strokeWidth: 2.5, interpolate: 'step-after' },
				encoding: {
					x: { field: 'x', ...share('recall') },
					y: { field: 'y', ...share('precision') },
					order: { field: 'index', type: 'quantitative' },
				},
			},
			...operatingPoint(
				confusion === undefined || called === 0
					? undefined
					: {
							x: confusion.truePositives / (confusion.truePositives + confusion.falseNegatives),
							y: confusion.truePositives / called,
						},
			),
		],
	};
	return {
		title,
		caption: `The dashed line is the share of vulnerable functions, ${prevalence.toFixed(3)}: the precision of calling everything vulnerable. ${called === 0 ? '' : pointNote}`,
		drawing: await draw(specification, 'Precision by recall on the test split'),
	};
}

export async function calibrationFigure(data: ReportData): Promise<Figure> {
	const title = 'Calibration (test)';
	const { labels, probabilities } = scored(data.test);
	const bins = calibrationBins(labels, probabilities);
	if (bins.length === 0) return { title, caption: 'No function was scored.', drawing: undefined };
	const largest = Math.max(...bins.map(({ count }) => count));
	const specification = {
		width,
		height: width,
		layer: [
			diagonal,
			{
				data: { values: bins },
				mark: { type: 'rule', color: first, strokeWidth: 1.5 },
				encoding: {
					x: { field: 'meanProbability', ...share('mean probability') },
					y: { field: 'low', ...share('share vulnerable') },
					y2: { field: 'high' },
				},
			},
			{
				data: { values: bins },
				mark: { type: 'point', filled: true, color: first, opacity: 1 },
				encoding: {
					x: { field: 'meanProbability', type: 'quantitative' },
					y: { field: 'positives', type: 'quantitative' },
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
	return {
		title,
		caption: `Probabilities in 15 bins; larger dots hold more functions (at most ${largest}). Bars are 95 % intervals of the share. On the dashed line, probabilities mean what they say.`,
		drawing: await draw(specification, 'Share of vulnerable functions by probability on the test split'),
	};
}

function confusionOf(comparison: Comparison) {
	return comparison.rows[0]?.evaluation.confusion ?? undefined;
}
