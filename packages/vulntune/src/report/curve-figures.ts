import { precisionRecallCurve, rocCurve } from '../metrics/curves.ts';
import { type CountCurve, curveOf } from '../metrics/ranking.ts';
import type { ConfusionCounts } from '../metrics/threshold-metrics.ts';
import {
	dashes,
	describeFunctions,
	draw,
	type Figure,
	first,
	fourth,
	muted,
	paper,
	second,
	share,
	strokes,
	synthetic,
	width,
} from './figure-parts.ts';
import type { ReportData } from './report-data.ts';
import { scoredFunctions } from './scored-functions.ts';
import { thin } from './thin.ts';

interface Point {
	readonly x: number;
	readonly y: number;
}

/** A line of a figure: the model's, or a baseline's. */
interface Series {
	readonly name: string;
	readonly points: readonly Point[];
}

/** Baselines that rank, each in its colour; all-positive is a straight line. */
const rankingBaselines = [
	['length', fourth],
	['ngram', second],
] as const;
const always = 'all-positive';

/** The model's curve, then those of the baselines that the run wrote down, of the functions that the model scored. */
function seriesOf(data: ReportData, pointsOf: (curve: CountCurve) => readonly Point[]): Series[] {
	const { test, baselines } = data;
	const { labels, probabilities } = scoredFunctions(test);
	const isScored = test.map(({ probability }) => probability !== null);
	const model = { name: modelName(data), points: pointsOf(curveOf(labels, probabilities)) };
	const others = rankingBaselines.flatMap(([name]) => {
		const scores = (baselines ?? []).flatMap((row, index) =>
			isScored[index] ? (row.scores[name] ?? []) : [],
		);
		return scores.length === labels.length && name !== model.name
			? [{ name, points: pointsOf(curveOf(labels, scores)) }]
			: [];
	});
	return [model, ...others];
}

function modelName({ comparison }: ReportData): string {
	return comparison.rows[0]!.name;
}

/** Curves over two shares, and the dot at which the model is run. */
function curvesSpecification(
	series: readonly Series[],
	{ axes, interpolate }: CurveKind,
	point: Point | undefined,
) {
	const colours = new Map<string, string>(rankingBaselines);
	const [model, ...baselines] = series;
	const entries = series.map(
		({ name }) =>
			[
				name,
				name === model!.name ? first : (colours.get(name) ?? muted),
				name === always ? dashes : [1, 0],
			] as const,
	);
	const lines = (drawn: readonly Series[], strokeWidth: number) => ({
		data: {
			values: drawn.flatMap(({ name, points }) =>
				thin(points).map((at, index) => ({ ...at, series: name, index })),
			),
		},
		mark: { type: 'line', interpolate, strokeWidth },
		encoding: {
			x: { field: 'x', ...share(axes.x) },
			y: { field: 'y', ...share(axes.y) },
			order: { field: 'index', type: 'quantitative' },
			...strokes(entries, 'series'),
		},
	});
	return {
		width,
		height: width,
		layer: [
			// the model's curve lies above
			lines(baselines, 1.5),
			lines([model!], 3),
			...(point === undefined
				? []
				: [
						{
							data: { values: [point] },
							mark: {
								...{ type: 'point', filled: true, size: 110, opacity: 1 },
								...{ color: first, stroke: paper, strokeWidth: 1.5 },
							},
							encoding: {
								x: { field: 'x', type: 'quantitative' },
								y: { field: 'y', type: 'quantitative' },
								shape: {
									...{ datum: 'at its threshold', type: 'nominal', scale: { range: ['circle'] } },
									legend: { symbolFillColor: first, symbolStrokeColor: paper, symbolOpacity: 1 },
								},
							},
						},
					]),
		],
	};
}

/** A kind of curve over the thresholds of a ranking. */
interface CurveKind {
	readonly title: string;
	readonly axes: { readonly x: string; readonly y: string };
	readonly interpolate: 'linear' | 'step-after';
	readonly pointsOf: (counts: CountCurve) => readonly Point[];
	/** What calling everything vulnerable reaches, at both ends. */
	readonly always: (prevalence: number) => readonly [y0: number, y1: number];
	/** Where a model with these right and wrong calls stands; undefined where it calls nothing vulnerable. */
	readonly standing: (confusion: ConfusionCounts) => Point | undefined;
	readonly caption: (prevalence: number) => string;
}

async function curvesFigure(data: ReportData, kind: CurveKind): Promise<Figure> {
	const { title, pointsOf, caption } = kind;
	const { labels, probabilities } = scoredFunctions(data.test);
	const roc = rocCurve(curveOf(labels, probabilities));
	if (roc.status !== 'ok') return { title, caption: `Undefined: ${roc.reason}.`, drawing: undefined };
	const prevalence = labels.reduce((sum, label) => sum + label, 0) / labels.length;
	const ends = kind.always(prevalence).map((y, x) => ({ x, y }));
	const series = [...seriesOf(data, pointsOf), { name: always, points: ends }];
	const confusion = data.comparison.rows[0]?.evaluation.confusion;
	const point = confusion == null ? undefined : kind.standing(confusion);
	const note = point === undefined ? '' : ' The dot is the threshold from validation.';
	return draw(curvesSpecification(series, kind, point), {
		title,
		about: `${synthetic(data)}${describeFunctions(labels, 'test')}`,
		caption: `${caption(prevalence)}${note}`,
	});
}

export function rocFigure(data: ReportData): Promise<Figure> {
	return curvesFigure(data, {
		title: 'ROC curve (test)',
		axes: { x: 'false-positive rate', y: 'recall' },
		interpolate: 'linear',
		pointsOf(counts) {
			const curve = rocCurve(counts);
			if (curve.status !== 'ok') return [];
			return curve.falsePositiveRate.map((x, index) => ({ x, y: curve.truePositiveRate[index]! }));
		},
		always: () => [0, 1],
		standing: ({ truePositives, falseNegatives, falsePositives, trueNegatives }) => ({
			x: falsePositives / (falsePositives + trueNegatives),
			y: truePositives / (truePositives + falseNegatives),
		}),
		caption: () => 'Towards the upper left is better; the dashed line is chance.',
	});
}

export function precisionRecallFigure(data: ReportData): Promise<Figure> {
	return curvesFigure(data, {
		title: 'Precision and recall (test)',
		axes: { x: 'recall', y: 'precision' },
		interpolate: 'step-after',
		pointsOf(counts) {
			const curve = precisionRecallCurve(counts);
			if (curve.status !== 'ok') return [];
			return curve.recall.map((x, index) => ({ x, y: curve.precision[index]! }));
		},
		always: (prevalence) => [prevalence, prevalence],
		standing({ truePositives, falseNegatives, falsePositives }) {
			const called = truePositives + falsePositives;
			if (called === 0) return undefined;
			return { x: truePositives / (truePositives + falseNegatives), y: truePositives / called };
		},
		caption: (prevalence) =>
			`Higher is better; the dashed line is the share of vulnerable functions, ${prevalence.toFixed(3)}: the precision of calling everything vulnerable.`,
	});
}
