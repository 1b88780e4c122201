import { shortNames, shownValue } from '../grid/load-grid.ts';
import type { Study } from '../read-study.ts';

type Cell = string | number | null;

/** A table with a row for each cell of a study. */
export interface ExportTable {
	readonly columns: readonly string[];
	readonly rows: readonly (readonly Cell[])[];
}

/** `cell`, `name`, `status`, each axis, each option of `overrides`, then what was measured. */
export function exportTable({ columns, overrides, cells }: Study): ExportTable {
	const options = [...columns, ...overrides];
	return {
		columns: [
			...['cell', 'name', 'status', ...options],
			...['rocAuc', 'rocAucLow', 'rocAucHigh', 'f1', 'f1Low', 'f1High', 'seconds', 'peakBytes'],
		],
		rows: cells.map(({ cell, name, status, settings, rocAuc, f1, seconds, peakBytes }) => [
			...[cell, name, status, ...options.map((option) => plain(settings[option]))],
			...[rocAuc, f1].flatMap((metric) => [metric?.value ?? null, low(metric), high(metric)]),
			seconds,
			peakBytes,
		]),
	};
}

/** Whether a file that begins so is an exported study, in whichever format. */
export function isExport(start: string): boolean {
	// those of earlier versions have no names
	return /^(cell,(name,)?status,|\| cell \| (name \| )?status \||\\begin\{tabular\}|PAR1)/.test(start);
}

function plain(value: unknown): Cell {
	if (value === null || value === undefined) return null;
	return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}

type Interval = Study['cells'][number]['rocAuc'];
const low = (metric: Interval) => (metric?.value === undefined || metric.value === null ? null : metric.low);
const high = (metric: Interval) =>
	metric?.value === undefined || metric.value === null ? null : metric.high;

/** As it is read in a text: short names, three digits, an interval in one column. */
export function readableTable({ columns, overrides, cells }: Study): readonly (readonly string[])[] {
	const options = [...columns, ...overrides];
	const short = shortNames(options);
	const number = (value: number | null | undefined, digits = 3) =>
		value === null || value === undefined ? '–' : value.toFixed(digits);
	const withInterval = (metric: Interval) => [
		number(metric?.value),
		low(metric) === null ? '–' : `${number(low(metric))} to ${number(high(metric))}`,
	];
	return [
		[
			...['cell', 'name', 'status', ...options.map((option) => short[option]!)],
			...['ROC AUC', '95 %', 'F1', '95 %', 'hours', 'GiB'],
		],
		...cells.map(({ cell, name, status, settings, rocAuc, f1, seconds, peakBytes }) => [
			...[cell, name, status],
			...options.map((option) => (settings[option] === null ? '–' : shownValue(option, settings[option]))),
			...withInterval(rocAuc),
			...withInterval(f1),
			number(seconds === null ? null : seconds / 3600, 2),
			number(peakBytes === null ? null : peakBytes / 2 ** 30, 2),
		]),
	];
}
