import { shortNames, shownValue } from '../grid/load-grid.ts';
import type { Study } from '../read-study.ts';

type Cell = string | number | null;

/** A table with a row for each cell of a study. */
export interface ExportTable {
	readonly columns: readonly string[];
	readonly rows: readonly (readonly Cell[])[];
}

/** `cell`, `status`, each axis, then what was measured. */
export function exportTable({ columns, cells }: Study): ExportTable {
	return {
		columns: [
			'cell',
			'status',
			...columns,
			'rocAuc',
			'rocAucLow',
			'rocAucHigh',
			'f1',
			'seconds',
			'peakBytes',
		],
		rows: cells.map(({ cell, status, settings, rocAuc, f1, seconds, peakBytes }) => [
			cell,
			status,
			...columns.map((column) => plain(settings[column])),
			rocAuc?.value ?? null,
			low(rocAuc),
			high(rocAuc),
			f1?.value ?? null,
			seconds,
			peakBytes,
		]),
	};
}

/** Whether a file that begins so is an exported study, in whichever format. */
export function isExport(start: string): boolean {
	return /^(cell,status,|\| cell \| status \||\\begin\{tabular\}|PAR1)/.test(start);
}

function plain(value: unknown): Cell {
	if (value === null || value === undefined) return null;
	return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}

type Interval = Study['cells'][number]['rocAuc'];
const low = (metric: Interval) => (metric?.value === undefined || metric.value === null ? null : metric.low);
const high = (metric: Interval) =>
	metric?.value === undefined || metric.value === null ? null : metric.high;

/** As it is read in a text: short names, three digits, the interval in one column. */
export function readableTable({ columns, cells }: Study): readonly (readonly string[])[] {
	const short = shortNames(columns);
	const number = (value: number | null | undefined, digits = 3) =>
		value === null || value === undefined ? '–' : value.toFixed(digits);
	return [
		['cell', 'status', ...columns.map((column) => short[column]!), 'ROC AUC', '95 %', 'F1', 'hours', 'GiB'],
		...cells.map(({ cell, status, settings, rocAuc, f1, seconds, peakBytes }) => [
			cell,
			status,
			...columns.map((column) => (settings[column] === null ? '–' : shownValue(column, settings[column]))),
			number(rocAuc?.value),
			low(rocAuc) === null ? '–' : `${number(low(rocAuc))} to ${number(high(rocAuc))}`,
			number(f1?.value),
			number(seconds === null ? null : seconds / 3600, 2),
			number(peakBytes === null ? null : peakBytes / 2 ** 30, 2),
		]),
	];
}
