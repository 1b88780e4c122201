import { dashes, draw, type Figure, first, height, muted, second, width } from './figure-parts.ts';
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

/** A dashed upright line at the epoch that was kept. */
const bestEpochRule = (data: ReportData) => ({
	data: { values: [{ epoch: data.bestEpoch }] },
	mark: { type: 'rule', color: muted, strokeDash: dashes },
	encoding: { x: counted('epoch', 'epoch', lastEpoch(data)) },
});

export async function epochScores(data: ReportData): Promise<Figure> {
	const values = thin(data.epochs).flatMap(({ epoch, rocAuc, f1 }) => [
		...(rocAuc === null ? [] : [{ epoch, metric: 'ROC AUC', value: rocAuc }]),
		...(f1 === null ? [] : [{ epoch, metric: 'F1', value: f1 }]),
	]);
	const title = 'F1 and ROC AUC per epoch (validation)';
	if (values.length === 0) return { title, caption: 'No epoch has a defined value.', drawing: undefined };
	const colors = { domain: ['ROC AUC', 'F1'], range: [first, second] };
	const specification = {
		width,
		height,
		layer: [
			bestEpochRule(data),
			{
				data: { values },
				mark: { type: 'line', strokeWidth: 2.5, point: epochPoint(data) },
				encoding: {
					x: counted('epoch', 'epoch', lastEpoch(data)),
					y: { field: 'value', type: 'quantitative', axis: { title: null }, scale: { zero: false } },
					color: { field: 'metric', type: 'nominal', scale: colors },
				},
			},
		],
	};
	return {
		title,
		caption: `The dashed line marks epoch ${data.bestEpoch}, whose adapter was kept. F1 is at the threshold that suits these very labels best: good for choosing an epoch, no result.`,
		drawing: await draw(specification, 'F1 and ROC AUC on the validation split, by epoch'),
	};
}

/** A dot per epoch, as long as they can be told apart. */
function epochPoint({ epochs }: ReportData, colour?: string) {
	return (
		epochs.length <= 60 && { size: 45, filled: true, ...(colour === undefined ? {} : { color: colour }) }
	);
}

function lastEpoch({ epochs }: ReportData): number {
	return epochs.at(-1)?.epoch ?? 1;
}

export async function epochLoss(data: ReportData): Promise<Figure> {
	const title = 'Validation loss per epoch';
	const values = thin(data.epochs).map(({ epoch, loss }) => ({ epoch, loss }));
	if (values.length === 0) return { title, caption: 'There was no epoch.', drawing: undefined };
	const specification = {
		width,
		height,
		layer: [
			bestEpochRule(data),
			{
				data: { values },
				mark: { type: 'line', strokeWidth: 2.5, color: first, point: epochPoint(data, first) },
				encoding: {
					x: counted('epoch', 'epoch', lastEpoch(data)),
					y: { field: 'loss', type: 'quantitative', axis: { title: 'loss' }, scale: { zero: false } },
				},
			},
		],
	};
	return {
		title,
		caption: 'Mean of the weighted loss over the functions of the validation split.',
		drawing: await draw(specification, 'Validation loss by epoch'),
	};
}

export async function trainingLoss(data: ReportData): Promise<Figure> {
	const title = 'Training loss per step';
	const points = data.steps.map(({ step, loss }) => ({ x: step, y: loss }));
	if (points.length === 0) return { title, caption: 'This method takes no steps.', drawing: undefined };
	const shown = average(points);
	const stretch = Math.ceil(points.length / shown.length);
	const specification = {
		width,
		height,
		data: { values: shown },
		mark: { type: 'line', strokeWidth: 1.5, color: first, point: shown.length === 1 },
		encoding: {
			x: counted('x', 'step', points.length),
			y: { field: 'y', type: 'quantitative', axis: { title: 'loss' }, scale: { zero: false } },
		},
	};
	return {
		title,
		caption:
			stretch > 1
				? `Each point is the mean of ${stretch} optimiser steps.`
				: 'The loss of each optimiser step, as it was reduced for the gradient.',
		drawing: await draw(specification, 'Training loss by optimiser step'),
	};
}
