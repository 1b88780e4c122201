import path from 'node:path';
import { parse } from 'yaml';
import type { Metric } from '../metrics/evaluation.ts';
import {
	type CellStatus,
	cellLabel,
	cellStatuses,
	type GridEntry,
	type LedgerCell,
	readCells,
	readGrids,
} from './ledger/cells.ts';
import type { Ledger } from './ledger/open-ledger.ts';
import { asMetric, readMetrics } from './ledger/results.ts';
import { resolvedValue } from './select-cells.ts';

/** A cell with what is looked at first. */
export interface StudyCell {
	/** Its number, behind its grid's name where the ledger has several grids. */
	readonly cell: string;
	readonly grid: string;
	readonly name: string;
	readonly status: CellStatus;
	/** Of successive halving, from 0. */
	readonly rung: number;
	/** The options of `columns` and `overrides`, with their values in this cell. */
	readonly settings: Readonly<Record<string, unknown>>;
	/** Identity of its run. */
	readonly run: string;
	readonly folder: string;
	/** On the test split; null as long as the run is not finished. */
	readonly rocAuc: Metric | null;
	readonly f1: Metric | null;
	/** Of training and validation. */
	readonly seconds: number | null;
	readonly peakBytes: number | null;
	readonly error: { readonly code: string; readonly message: string } | null;
}

/** What `vulntune experiment status --json` prints. */
export interface Study {
	readonly schema: 'vulntune.study/1';
	readonly study: string;
	readonly grids: readonly GridEntry[];
	/** The options in which the cells of the study differ by their grids' axes and cells. */
	readonly columns: readonly string[];
	/** Other options that grids set in some cells, by `overrides` or the rungs of a search. */
	readonly overrides: readonly string[];
	readonly counts: Readonly<Record<CellStatus, number>>;
	readonly cells: readonly StudyCell[];
}

/** All cells of a ledger, those of one grid if it is named. */
export function readStudy(ledger: Ledger, grid?: string): Study {
	const grids = readGrids(ledger);
	const cells = readCells(ledger, grid);
	const shown = grids.filter(({ name }) => grid === undefined || name === grid);
	const columns = [...new Set(shown.flatMap((own) => own.columns))];
	const set = new Set(cells.flatMap(({ settings }) => Object.keys(settings)));
	const overrides = [...set].filter((option) => !columns.includes(option));
	const counts = Object.fromEntries(
		cellStatuses.map((status) => [status, cells.filter((cell) => cell.status === status).length]),
	) as Record<CellStatus, number>;
	return {
		schema: 'vulntune.study/1',
		study: path.resolve(ledger.folder),
		grids,
		columns,
		overrides,
		counts,
		cells: cells.map((cell) => studyCell(ledger, cell, grids, [...columns, ...overrides])),
	};
}

function studyCell(
	ledger: Ledger,
	cell: LedgerCell,
	grids: readonly GridEntry[],
	options: readonly string[],
): StudyCell {
	const { grid, name, status, rung, runId: run, seconds, peakBytes, errorCode, errorMessage } = cell;
	const metrics = readMetrics(ledger, run).get('model');
	const metricOf = (name: string) => {
		const stored = metrics?.get(name);
		return stored === undefined ? null : asMetric(stored);
	};
	return {
		cell: cellLabel(cell, grids),
		...{ grid, name, status, rung },
		settings: settingsOf(cell, options),
		run,
		folder: path.resolve(ledger.folder, cell.folder),
		rocAuc: metricOf('rocAuc'),
		f1: metricOf('f1'),
		...{ seconds, peakBytes },
		error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' },
	};
}

/** As the grid has them; what it doesn't set, as the config has it. */
function settingsOf({ settings, config }: LedgerCell, options: readonly string[]): Record<string, unknown> {
	const resolved = parse(config) as object;
	return Object.fromEntries(
		options.map((option) => [
			option,
			Object.hasOwn(settings, option) ? settings[option] : (resolvedValue(resolved, option) ?? null),
		]),
	);
}
