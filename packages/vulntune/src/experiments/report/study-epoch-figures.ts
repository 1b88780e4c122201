import { dashes, height, muted, strokes, synthetic } from '../../report/figure-parts.ts';
import { lastPart } from '../../report/report-data.ts';
import { formatCount } from '../../terminal/format.ts';
import type { ReportCell } from './report-cells.ts';
import { inLines, labelLines, type StudyFigure, series, studyFigure } from './study-figure.ts';
import { settingLabels } from './study-labels.ts';

type EpochMetric = 'f1' | 'rocAuc' | 'loss';

const plotWidth = 330;
const legendWidth = 330;
const legendFontSize = 12;
/** As many settings as can be told apart by their lines. */
const namedSettings = 12;
const lineStyles = [[1, 0], dashes];

const kinds: Readonly<Record<EpochMetric, { name: string; title: string; axis: string; caption: string }>> = {
	f1: {
		name: 'f1',
		title: 'F1 per epoch (validation)',
		axis: 'F1 (0 to 1)',
		caption:
			'At the threshold that suits these very labels best, as the paper draws it: good for choosing an epoch, no result.',
	},
	rocAuc: {
		name: 'roc-auc',
		title: 'ROC AUC per epoch (validation)',
		axis: 'ROC AUC (0 to 1)',
		caption: 'The epoch with the largest value was kept.',
	},
	loss: {
		name: 'loss',
		title: 'Loss per epoch (validation)',
		axis: 'mean loss of a function',
		caption: 'Each run’s own loss: those of other losses or reductions are no measure of each other.',
	},
};

/** Figures 1 and 2 of the paper, and the loss, for the runs of one dataset that have several epochs; none of what no epoch has. */
export async function epochFigures(cells: readonly ReportCell[], suffix: string): Promise<StudyFigure[]> {
	const trained = cells.filter(({ epochs }) => epochs.length > 1);
	const settings = settingLabels(trained);
	const named = bestSettings(trained, settings);
	const figures: StudyFigure[] = [];
	for (const metric of ['f1', 'rocAuc', 'loss'] as const) {
		if (!trained.some(({ epochs }) => epochs.some((epoch) => epoch[metric] !== null))) continue;
		figures.push(await epochFigure(trained, settings, named, metric, suffix));
	}
	return figures;
}

/** The settings whose runs came furthest by validation ROC AUC, in the order of the cells. */
function bestSettings(cells: readonly ReportCell[], settings: readonly string[]): string[] {
	const reached = (setting: string) =>
		Math.max(
			...cells
				.filter((_, i) => settings[i] === setting)
				.flatMap(({ epochs }) => epochs.map(({ rocAuc }) => rocAuc ?? 0)),
		);
	const all = [...new Set(settings)];
	const best = new Set(all.toSorted((a, b) => reached(b) - reached(a)).slice(0, namedSettings));
	return all.filter((setting) => best.has(setting));
}

function epochFigure(
	cells: readonly ReportCell[],
	settings: readonly string[],
	named: readonly string[],
	metric: EpochMetric,
	suffix: string,
): Promise<StudyFigure> {
	const { name, title, axis, caption } = kinds[metric];
	const count = new Set(settings).size;
	const rest = `the other ${count - named.length}`;
	const legendOf = (setting: string) => labelLines(setting, legendFontSize, legendWidth);
	const entries = [
		...(count > named.length ? [[rest, muted, [1, 2]] as const] : []),
		...named.map(
			(setting, i) =>
				[legendOf(setting), series[i % series.length]!, lineStyles[Math.floor(i / series.length)]!] as const,
		),
	];
	const values = cells.flatMap(({ cell, epochs }, i) => {
		const setting = settings[i]!;
		const own = named.includes(setting) ? legendOf(setting) : rest;
		return epochs.flatMap((epoch) =>
			epoch[metric] === null
				? []
				: [{ run: cell.run, series: own, epoch: epoch.epoch, value: epoch[metric] }],
		);
	});
	const last = Math.max(...cells.map(({ epochs }) => epochs.at(-1)!.epoch));
	const legend = { orient: 'bottom', columns: 1, symbolType: 'stroke', symbolSize: 260, labelExpr: inLines };
	const { color, strokeDash } = strokes(entries, 'series');
	const specification = {
		...{ width: plotWidth, height },
		data: { values },
		mark: { type: 'line', strokeWidth: 1.8, point: last <= 20 && { size: 22, filled: true } },
		encoding: {
			x: {
				...{ field: 'epoch', type: 'quantitative', scale: { domain: [1, last], nice: false } },
				axis: {
					...{ title: 'epoch', format: 'd', tickMinStep: 1, labelFlush: false },
					tickCount: Math.min(last, 8),
				},
			},
			y: { field: 'value', type: 'quantitative', axis: { title: axis }, scale: { zero: false } },
			detail: { field: 'run', type: 'nominal' },
			color: { ...color, legend },
			strokeDash: { ...strokeDash, legend },
		},
	};
	const seeds = cells.length > count ? ', a line for each seed' : '';
	const chosen =
		count > named.length
			? ` Of ${count} settings the ${named.length} with the highest validation ROC AUC are told apart.`
			: '';
	return studyFigure(`${name}${suffix}`, specification, {
		title,
		about: `${dataOf(cells)}; ${formatCount(cells.length, 'run')} of ${formatCount(count, 'setting')}${seeds}`,
		caption: `${caption}${chosen}`,
	});
}

/** `x1-without-p3: 262 validation functions, 131 vulnerable`; of runs whose folder is gone the dataset's name alone. */
function dataOf(cells: readonly ReportCell[]): string {
	const data = `${synthetic(cells[0]!)}${lastPart(cells[0]!.dataName)}`;
	const validation = cells.find((cell) => cell.validation !== undefined)?.validation;
	if (validation === undefined) return data;
	const { functions, vulnerable } = validation;
	return `${data}: ${formatCount(functions, 'validation function')}, ${vulnerable} vulnerable`;
}
