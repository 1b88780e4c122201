import { formatCount } from '../terminal/format.ts';
import {
	dashes,
	describeFunctions,
	draw,
	type Figure,
	first,
	height,
	muted,
	second,
	strokes,
	synthetic,
	width,
} from './figure-parts.ts';
import type { ReportData } from './report-data.ts';
import { average, thin } from './thin.ts';

/** A horizontal position in epochs or steps, from 1: ticks at whole numbers only, few enough to be read. */
const counted = (field: string, title: string, last: number) => ({
	field,
	type: 'quantitative',
	axis: { title, format: 'd', tickMinStep: 1, tickCount: Math.min(last, 8), labelFlush: false },
	// a single one stands in the middle
	scale: last === 1 ? { domain: [0, 2] } : { domain: [1, last], nice: false },
});

/** The epoch that was kept, as the legend names its line. */
const kept = ['epoch that was kept', muted, dashes] as const;

type Entries = Parameters<typeof strokes>[0];

/** A dashed upright line at the epoch that was kept. */
const bestEpochRule = (data: ReportData, entries: Entries) => ({
	data: { values: [{ epoch: data.bestEpoch, series: kept[0] }] },
	mark: { type: 'rule', strokeWidth: 1.5 },
	encoding: {
		x: counted('epoch', 'epoch', lastEpoch(data)),
		...strokes([...entries, kept], 'series'),
	},
});

/** What validation holds, beneath a title. */
function aboutValidation(data: ReportData): string {
	const labels = data.validation.map(({ label }) => label);
	return `${synthetic(data)}${describeFunctions(labels, 'validation')}`;
}

export async function epochScores(data: ReportData): Promise<Figure> {
	const values = thin(data.epochs).flatMap(({ epoch, rocAuc, f1 }) => [
		...(rocAuc === null ? [] : [{ epoch, series: 'ROC AUC', value: rocAuc }]),
		...(f1 === null ? [] : [{ epoch, series: 'F1', value: f1 }]),
	]);
	const title = 'F1 and ROC AUC per epoch (validation)';
	if (values.length === 0) return { title, caption: 'No epoch has a defined value.', drawing: undefined };
	const entries = [
		['ROC AUC', first],
		['F1', second],
	] as const;
	const specification = {
		width,
		height,
		layer: [
			bestEpochRule(data, entries),
			{
				data: { values },
				mark: { type: 'line', strokeWidth: 2.5, point: epochPoint(data) },
				encoding: {
					x: counted('epoch', 'epoch', lastEpoch(data)),
					y: {
						...{ field: 'value', type: 'quantitative', scale: { zero: false } },
						axis: { title: 'ROC AUC, F1 (0 to 1)' },
					},
					...strokes([...entries, kept], 'series'),
				},
			},
		],
	};
	return draw(specification, {
		title,
		about: aboutValidation(data),
		caption: `The dashed line marks epoch ${data.bestEpoch}, whose adapter was kept. F1 is at the threshold that suits these very labels best: good for choosing an epoch, no result.`,
	});
}

/** A dot per epoch, as long as they can be told apart. */
function epochPoint({ epochs }: ReportData) {
	return epochs.length <= 60 && { size: 45, filled: true };
}

function lastEpoch({ epochs }: ReportData): number {
	return epochs.at(-1)?.epoch ?? 1;
}

export async function epochLoss(data: ReportData): Promise<Figure> {
	const title = 'Validation loss per epoch';
	const values = thin(data.epochs).map(({ epoch, loss }) => ({ epoch, loss, series: 'validation loss' }));
	if (values.length === 0) return { title, caption: 'There was no epoch.', drawing: undefined };
	const entries = [['validation loss', first]] as const;
	const specification = {
		width,
		height,
		layer: [
			bestEpochRule(data, entries),
			{
				data: { values },
				mark: { type: 'line', strokeWidth: 2.5, point: epochPoint(data) },
				encoding: {
					x: counted('epoch', 'epoch', lastEpoch(data)),
					y: {
						...{ field: 'loss', type: 'quantitative', scale: { zero: false } },
						axis: { title: 'mean loss of a function' },
					},
					...strokes([...entries, kept], 'series'),
				},
			},
		],
	};
	return draw(specification, {
		title,
		about: aboutValidation(data),
		caption: 'Mean of the weighted loss over the functions of the validation split.',
	});
}

export async function trainingLoss(data: ReportData): Promise<Figure> {
	const title = 'Training loss per step';
	const points = data.steps.map(({ step, loss }) => ({ x: step, y: loss }));
	if (points.length === 0) return { title, caption: 'This method takes no steps.', drawing: undefined };
	const shown = average(points);
	const stretch = Math.ceil(points.length / shown.length);
	// as the gradient comes from it
	const unit =
		data.settings.loss.reduction === 'mean'
			? 'mean loss of a function'
			: "loss, summed over a sequence's functions";
	const specification = {
		width,
		height,
		data: { values: shown },
		mark: { type: 'line', strokeWidth: 1.5, color: first, point: shown.length === 1 },
		encoding: {
			x: counted('x', 'optimiser step', points.length),
			y: { field: 'y', type: 'quantitative', axis: { title: unit }, scale: { zero: false } },
		},
	};
	const trained =
		data.training === null ? '' : `${formatCount(data.training.functions, 'training function')}, `;
	return draw(specification, {
		title,
		about: `${synthetic(data)}${trained}${formatCount(points.length, 'optimiser step')}`,
		caption:
			stretch > 1
				? `Each point is the mean of ${stretch} optimiser steps.`
				: 'The loss of each optimiser step, as it was reduced for the gradient.',
	});
}
