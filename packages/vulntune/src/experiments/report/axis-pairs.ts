import { isDeepStrictEqual } from 'node:util';
import { isIdle } from '../../config/needs.ts';
import { configOptions } from '../../config/options.ts';
import { axisFault } from '../grid/settings.ts';
import type { GridEntry } from '../ledger/cells.ts';
import { resolvedValue } from '../select-cells.ts';
import type { ReportCell } from './report-cells.ts';

const seed = 'training.seed';

/** Of an axis with more values, such as one that was drawn, each value comes with others by chance. */
const mostCoupledValues = 6;

/** Two cells that are compared in an option: they have the same test functions, and the same seed where both have one. */
export interface Pair {
	readonly first: ReportCell;
	readonly second: ReportCell;
	/** The values of the option. */
	readonly a: unknown;
	readonly b: unknown;
	/** What else they differ in, where it has an effect in both. */
	readonly besides: readonly Besides[];
}

/** An option in which the cells of a pair differ besides. */
interface Besides {
	readonly option: string;
	readonly a: unknown;
	readonly b: unknown;
}

/** The cells of the grids that have an option among their columns: those of others were not made to tell its values apart. */
export function cellsOfAxis(
	axis: string,
	grids: readonly Pick<GridEntry, 'name' | 'columns'>[],
	cells: readonly ReportCell[],
): ReportCell[] {
	const having = grids.filter(({ columns }) => columns.includes(axis)).map(({ name }) => name);
	return cells.filter((cell) => cell.grids.some((grid) => having.includes(grid)));
}

/** Each value once, in the order in which they come. */
export function distinct(values: readonly unknown[]): unknown[] {
	return values.filter((value, i) => !values.slice(0, i).some((other) => isDeepStrictEqual(other, value)));
}

/**
 * The pairs of an axis. For two of its values these are the cells that differ in it alone; where there are none, those in which the grid's
 * `overrides` set other options along with a value. An axis without any has those in which other columns always come with a value.
 * Another seed with other options is no other seed alone, so that such pairs are none.
 */
export function pairsOf(axis: string, columns: readonly string[], cells: readonly ReportCell[]): Pair[] {
	const values = distinct(cells.map(({ cell }) => cell.settings[axis]));
	const placeOf = ({ cell }: ReportCell) =>
		values.findIndex((value) => isDeepStrictEqual(value, cell.settings[axis]));
	// those with a value that comes first lie first in every pair
	const ordered = cells.toSorted((one, other) => placeOf(one) - placeOf(other));
	const all = ordered.flatMap((first, i) =>
		ordered.slice(i + 1).flatMap((second): Pair[] => {
			// grids start from configs of their own, which may differ in what is no column
			const isOfOneGrid = first.grids.some((grid) => second.grids.includes(grid));
			const [a, b] = [first.cell.settings[axis], second.cell.settings[axis]];
			if (!isOfOneGrid || first.data !== second.data || isDeepStrictEqual(a, b)) return [];
			const besides = besidesOf(axis, first, second, columns);
			return besides.some(({ option }) => option === seed) ? [] : [{ first, second, a, b, besides }];
		}),
	);
	if (axis === seed) return all.filter(isAlone);
	const ofValues = [...Map.groupBy(all, ({ a, b }) => JSON.stringify([a, b])).values()];
	const columnsBesides = ({ besides }: Pair) =>
		besides.map(({ option }) => option).filter((option) => columns.includes(option));
	const pairs = ofValues.flatMap((own) => {
		const alone = own.filter(isAlone);
		return alone.length > 0 ? alone : own.filter((pair) => columnsBesides(pair).length === 0);
	});
	if (pairs.length > 0 || values.length > mostCoupledValues) return pairs;
	return ofValues.flatMap((own) => {
		const coupled = own.filter((pair) => columnsBesides(pair).every((option) => isCoupled(option, own)));
		const fewest = Math.min(...coupled.map((pair) => columnsBesides(pair).length));
		return coupled.filter((pair) => columnsBesides(pair).length === fewest);
	});
}

function isAlone({ besides }: Pair): boolean {
	return besides.length === 0;
}

/** Whether one of two values always comes with the same value of an option, and the other never does. */
function isCoupled(option: string, pairs: readonly Pair[]): boolean {
	const ofFirst = distinct(pairs.map(({ first }) => first.cell.settings[option]));
	const ofSecond = distinct(pairs.map(({ second }) => second.cell.settings[option]));
	const isShared = ofFirst.some((value) => ofSecond.some((other) => isDeepStrictEqual(other, value)));
	return !isShared && (ofFirst.length === 1 || ofSecond.length === 1);
}

/** In which options besides an axis two cells of a grid differ, where both are affected by them. */
function besidesOf(
	axis: string,
	first: ReportCell,
	second: ReportCell,
	columns: readonly string[],
): Besides[] {
	const names = new Set([...columns, ...first.written, ...second.written]);
	names.delete(axis);
	return [...names].flatMap((option): Besides[] => {
		const [a, b] = [first, second].map(
			({ cell, config }) =>
				(columns.includes(option) ? cell.settings[option] : resolvedValue(config, option)) ?? null,
		);
		if (isDeepStrictEqual(a, b) || axisFault(option) !== undefined) return [];
		return isOfEffect(option, first) && isOfEffect(option, second) ? [{ option, a, b }] : [];
	});
}

/** Of n-grams the seed is that of their intervals alone: their scores are the same under each. */
function isOfEffect(option: string, { config }: ReportCell): boolean {
	return option === seed ? config.method.type !== 'ngram' : !isIdle(option, config, configOptions);
}

/** At which other values a cell has a partner. */
export function partnersOf(cell: ReportCell, pairs: readonly Pair[]): unknown[] {
	return pairs.flatMap(({ first, second, a, b }) => (first === cell ? [b] : second === cell ? [a] : []));
}

/** Pairs that differ in the seed alone, together. */
export function bySeeds(columns: readonly string[], pairs: readonly Pair[]): Pair[][] {
	const others = columns.filter((column) => column !== seed);
	const settingsOf = ({ cell }: ReportCell) => others.map((column) => cell.settings[column] ?? null);
	const key = ({ first, second, a, b, besides }: Pair) =>
		JSON.stringify([first.data, a, b, besides, settingsOf(first), settingsOf(second)]);
	return [...Map.groupBy(pairs, key).values()];
}
