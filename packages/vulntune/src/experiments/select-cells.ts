import { inputError } from '@vulntune/engine/errors.ts';
import { type Grid, type GridCell, shortNames, shownValue } from './grid/load-grid.ts';

/** Which cells of a grid are meant. */
export interface CellChoice {
	/** `seed=1`, `training.seed=1`, or a cell's number; options of different names must all fit. */
	readonly only: readonly string[];
	readonly cell: number | undefined;
}

/**
 * Numbers of the cells that are chosen; all without a choice.
 *
 * @throws VulntuneError USAGE for what no cell fits
 */
export function selectCells(grid: Pick<Grid, 'cells' | 'columns'>, { only, cell }: CellChoice): number[] {
	const all = grid.cells.keys().toArray();
	if (cell !== undefined) {
		if (cell < all.length) return [cell];
		throw inputError('USAGE', `--cell: expected a number from 0 to ${all.length - 1}, found ${cell}`);
	}
	if (only.length === 0) return all;
	const short = shortNames(grid.columns);
	const numbers = only.filter((word) => /^\d+$/.test(word)).map(Number);
	const values = Map.groupBy(
		only.filter((word) => !/^\d+$/.test(word)).map((word) => readPair(word, grid.columns, short)),
		({ option }) => option,
	);
	for (const number of numbers) {
		if (number >= all.length) throw unknown(String(number), `cells have numbers from 0 to ${all.length - 1}`);
	}
	for (const pairs of values.values()) {
		for (const pair of pairs) {
			if (!grid.cells.some((own) => hasValue(own, pair))) throw unknown(pair.word, 'no cell has this value');
		}
	}
	const fitsAll = (own: GridCell) =>
		values.values().every((pairs) => pairs.some((pair) => hasValue(own, pair)));
	const chosen = all.filter((i) => numbers.includes(i) || (values.size > 0 && fitsAll(grid.cells[i]!)));
	if (chosen.length === 0) throw unknown(only.join(','), 'no cell has all these values');
	return chosen;
}

interface Pair {
	readonly option: string;
	readonly value: string;
	readonly word: string;
}

function readPair(word: string, columns: readonly string[], short: Readonly<Record<string, string>>): Pair {
	const at = word.indexOf('=');
	const name = word.slice(0, Math.max(0, at)).trim();
	const option = columns.find((column) => column === name || short[column] === name);
	if (option === undefined) {
		throw unknown(word, `expected a cell's number, or OPTION=VALUE with one of ${columns.join(', ')}`);
	}
	return { option, value: word.slice(at + 1).trim(), word };
}

function hasValue({ settings, config }: GridCell, { option, value }: Pair): boolean {
	const own = settings.has(option) ? settings.get(option) : resolvedValue(config, option);
	return shownValue(option, own) === value || String(own) === value;
}

/** The value that an option has in a resolved config. */
export function resolvedValue(config: object, option: string): unknown {
	return option
		.split('.')
		.reduce<unknown>((node, key) => (node as Readonly<Record<string, unknown>> | undefined)?.[key], config);
}

function unknown(word: string, why: string): Error {
	return inputError('USAGE', `--only ${word}: ${why}`);
}
