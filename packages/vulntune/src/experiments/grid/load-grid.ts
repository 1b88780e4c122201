import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { canonicalJson } from '@vulntune/engine';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import { checkConfig, configError, readConfigFile, resolveConfig } from '../../config/load.ts';
import type { ConfigOverrides } from '../../config/overrides.ts';
import type { Config } from '../../config/schema.ts';
import type { ConfigFault } from '../../config/validate.ts';
import { resultSettings } from '../../run/identity.ts';
import { type Axis, drawPoints, fits, type Point, product } from './expand.ts';
import { gridDefinition, type ParsedGrid } from './grid-schema.ts';
import { readAxis } from './read-axis.ts';
import { asOverrides, type CellSettings, readSettings } from './settings.ts';

/** One run of a study: a config and what tells it from the others of its grid. */
export interface GridCell {
	/** `length=256, seed=1` */
	readonly name: string;
	/** What the grid sets in it, as written there. */
	readonly settings: Point;
	/** Its `output` is chosen when it is run. */
	readonly config: Config;
}

/** A grid file, read and checked. */
export interface Grid {
	/** Names it in a ledger. */
	readonly name: string;
	readonly file: string;
	/** The options in which cells differ, in the order of the file: the columns of a table. */
	readonly columns: readonly string[];
	/** Under `search.type: halving` those of the first rung. */
	readonly cells: readonly GridCell[];
	readonly search: ParsedGrid['search'];
	readonly budgetHours: number | null;
	/** What options have no effect where, a line each. */
	readonly notes: readonly string[];
	/** The same cell for another number of epochs. */
	readonly withEpochs: (cell: GridCell, epochs: number) => GridCell;
}

export interface GridContext {
	/** Options from the command line, for all cells. */
	readonly overrides?: ConfigOverrides;
	readonly workingFolder?: string;
}

/**
 * Reads a grid and resolves the config of every cell.
 *
 * @throws VulntuneError CONFIG_NOT_FOUND, CONFIG_YAML, and CONFIG_INVALID with the faults of the grid, or of all its cells, at once,
 * each as `grid.yaml:12: …`
 */
export function loadGrid(file: string, context: GridContext = {}): Grid {
	const { overrides: flags = {}, workingFolder = process.cwd() } = context;
	const { value, ...found } = readConfigFile(file, { workingFolder });
	const parsed = checkConfig(value, gridDefinition, found);
	const faults: ConfigFault[] = [];
	const plan = planCells(parsed, faults);
	for (const name of plan.columns) {
		if (!Object.hasOwn(flags, name)) continue;
		throw inputError('USAGE', `--${name} is set by the grid, cell by cell`, {
			place: file,
			remedy: 'Leave out the flag, or the option in the grid.',
		});
	}
	if (faults.length > 0) throw configError(faults, found);
	const folder = found.folder;
	const base = readConfigFile(path.relative(workingFolder, path.resolve(folder, parsed.config)), {
		workingFolder,
	});
	const notes = new Set<string>();
	const short = shortNames(plan.columns);
	const cellOf = ({ settings, name }: PlannedCell): GridCell => {
		const values = new Map([...settings].map(([option, { value: own }]) => [option, own]));
		const config = resolveConfig(base.value, {
			...base,
			overrides: { ...asOverrides(values), ...flags },
			sourceOf(option) {
				const setting = settings.get(option);
				if (setting === undefined) return undefined;
				const line = found.document?.lineOf(setting.path);
				return { place: line === undefined ? file : `${file}:${line}`, folder };
			},
			isCell: true,
			note: (line) => notes.add(line),
		});
		return { name: name ?? cellName(values, short), settings: values, config };
	};
	const cells = resolveAll(plan.cells, cellOf);
	for (const line of twinNotes(cells)) notes.add(line);
	if (parsed.search.type === 'halving' && cells.some(({ config }) => config.method.type === 'ngram')) {
		const message = 'search.type: halving is by epochs, which n-grams have none of (method.type ngram)';
		throw configError([{ path: ['search', 'type'], message }], found);
	}
	return {
		name: parsed.name ?? path.basename(file).replace(/\.ya?ml$/i, ''),
		file,
		columns: plan.columns,
		cells,
		search: parsed.search,
		budgetHours: parsed.budget.hours,
		notes: [...notes],
		withEpochs(cell, epochs) {
			const settings = new Map([...cell.settings, ['training.epochs', epochs]]);
			const config = { ...cell.config, training: { ...cell.config.training, epochs } };
			return { name: cellName(settings, { ...short, 'training.epochs': 'epochs' }), settings, config };
		},
	};
}

/** A cell before its config is resolved. */
interface PlannedCell {
	readonly settings: CellSettings;
	/** Where the grid names it. */
	readonly name?: string | undefined;
}

interface CellPlan {
	readonly columns: readonly string[];
	readonly cells: readonly PlannedCell[];
}

/** All cells of a grid, overrides laid over them; what is wrong with the grid goes to `faults`. */
function planCells(grid: ParsedGrid, faults: ConfigFault[]): CellPlan {
	const axes = readAxes(grid, faults);
	const exclude = grid.exclude.map((partial, i) => readSettings(partial, ['exclude', i], faults));
	const added = grid.cells.map((cell, i): PlannedCell => {
		const { name, ...rest } = cell;
		if (name !== undefined && typeof name !== 'string') {
			faults.push({ path: ['cells', i, 'name'], message: 'name: expected a text' });
		}
		return { settings: readSettings(rest, ['cells', i], faults), name: name as string | undefined };
	});
	const overrides = grid.overrides.map(({ when, set }, i) => ({
		when: readSettings(when, ['overrides', i, 'when'], faults),
		set: readSettings(set, ['overrides', i, 'set'], faults),
	}));
	// what is built on a part that is faulty would be reported as faults that it does not have
	if (faults.length > 0) return { columns: [], cells: [] };
	const names = [...axes.keys(), ...added.flatMap(({ settings }) => [...settings.keys()])];
	const columns = [...new Set(names)];
	const known = (part: CellSettings) => {
		for (const [name, { path: place }] of part) {
			if (columns.includes(name)) continue;
			faults.push({ path: place, message: `${name}: neither an axis nor set in a cell` });
		}
	};
	for (const partial of exclude) known(partial);
	for (const { when } of overrides) known(when);

	const combinations = axes.size === 0 && added.length > 0 ? [] : pointsOf(grid, axes);
	const excluded = exclude.map((partial) => combinations.filter((point) => fits(point, valuesOf(partial))));
	excluded.forEach((points, i) => {
		if (points.length > 0) return;
		faults.push({
			path: ['exclude', i],
			message: `exclude.${i}: no combination of the axes has these values`,
		});
	});
	const left = combinations.filter((point) => !excluded.some((points) => points.includes(point)));
	const planned = [...left.map((point): PlannedCell => ({ settings: placed(point) })), ...added].map((cell) =>
		withOverrides(cell, overrides),
	);
	overrides.forEach(({ when }, i) => {
		if (planned.some(({ settings }) => fits(valuesOf(settings), valuesOf(when)))) return;
		faults.push({ path: ['overrides', i], message: `overrides.${i}: no cell has the values of when` });
	});
	if (planned.length === 0) faults.push({ path: ['axes'], message: 'axes: no cell is left' });
	refuseTwins(planned, faults);
	return { columns, cells: planned };

	function placed(point: Point): CellSettings {
		return new Map([...point].map(([name, value]) => [name, { value, path: ['axes', name] }]));
	}
}

function withOverrides(
	cell: PlannedCell,
	overrides: readonly { readonly when: CellSettings; readonly set: CellSettings }[],
): PlannedCell {
	const fitting = overrides.filter(({ when }) => fits(valuesOf(cell.settings), valuesOf(when)));
	return { ...cell, settings: new Map([...cell.settings, ...fitting.flatMap(({ set }) => [...set])]) };
}

function valuesOf(settings: CellSettings): Point {
	return new Map([...settings].map(([name, { value }]) => [name, value]));
}

function readAxes(grid: ParsedGrid, faults: ConfigFault[]): ReadonlyMap<string, Axis> {
	const settings = readSettings(grid.axes, ['axes'], faults);
	const axes = new Map<string, Axis>();
	for (const [name, { value, path: place }] of settings) {
		const { axis, fault } = readAxis(name, value, grid.search.type);
		if (fault === undefined) axes.set(name, axis);
		else faults.push({ path: [...place, ...fault.path], message: `${name}: ${fault.message}` });
	}
	return axes;
}

function pointsOf({ search }: ParsedGrid, axes: ReadonlyMap<string, Axis>): Point[] {
	if (search.type !== 'grid') return drawPoints(axes, search.samples, search.seed);
	return product(axes as ReadonlyMap<string, readonly unknown[]>);
}

function refuseTwins(cells: readonly PlannedCell[], faults: ConfigFault[]): void {
	cells.forEach(({ settings }, i) => {
		const own = valuesOf(settings);
		const isTwin = ({ settings: other }: PlannedCell) => isDeepStrictEqual(valuesOf(other), own);
		const [first] = settings.values();
		if (!cells.slice(0, i).some(isTwin)) return;
		const place = first === undefined ? ['cells'] : first.path.slice(0, 2);
		faults.push({ path: place, message: `${place.join('.')}: the same cell as an earlier one` });
	});
}

/** Cells of other names that are one run: what tells them apart changes no result, such as an option that is off in all of them. */
function twinNotes(cells: readonly GridCell[]): string[] {
	const byResult = Map.groupBy([...cells.entries()], ([, { config }]) =>
		canonicalJson({
			settings: resultSettings(config),
			epochs: config.training.epochs,
			data: config.data.path,
			model: config.method.type === 'ngram' ? '' : config.model,
			from: config.method.from,
		}),
	);
	return [...byResult.values()].flatMap((twins) => {
		const [first, ...others] = twins.map(([position]) => position);
		if (others.length === 0) return [];
		return [
			`cells ${[first, ...others].join(', ')} are one run: nothing in which they differ changes a result`,
		];
	});
}

/** Resolves every cell and tells what is wrong with any of them at once. */
function resolveAll(
	planned: readonly PlannedCell[],
	cellOf: (cell: PlannedCell) => GridCell,
): readonly GridCell[] {
	const errors = new Map<string, VulntuneError>();
	const cells = planned.flatMap((cell) => {
		try {
			return [cellOf(cell)];
		} catch (error) {
			if (!(error instanceof VulntuneError)) throw error;
			errors.set(`${error.place === undefined ? '' : `${error.place}: `}${error.summary}`, error);
			return [];
		}
	});
	const [first] = errors.values();
	if (first === undefined) return cells;
	if (errors.size === 1) throw first;
	const list = [...errors.keys()].map((line) => `  ${line}`).join('\n');
	throw inputError('CONFIG_INVALID', `${errors.size} faults in the cells\n${list}`);
}

/** The last part of an option's name, the whole of it where two would be the same. */
export function shortNames(options: readonly string[]): Readonly<Record<string, string>> {
	const last = (name: string) => name.split('.').at(-1)!;
	const isAlone = (name: string) => options.filter((other) => last(other) === last(name)).length === 1;
	return Object.fromEntries(options.map((name) => [name, isAlone(name) ? last(name) : name]));
}

function cellName(values: Point, short: Readonly<Record<string, string>>): string {
	const parts = [...values].flatMap(([name, value]) =>
		short[name] === undefined ? [] : [`${short[name]}=${shownValue(name, value)}`],
	);
	return parts.length === 0 ? 'base' : parts.join(', ');
}

/** A value as names and tables show it: of a path its last part. */
export function shownValue(name: string, value: unknown): string {
	if (value === null) return 'none';
	if (typeof value !== 'string') return JSON.stringify(value);
	return name === 'model' || name === 'data.path' || name === 'method.from'
		? path.basename(value).replace(/\.tar\.gz$/, '')
		: value;
}
