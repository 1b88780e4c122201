import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';
import { isGone } from './claims.ts';
import { type Ledger, transaction } from './open-ledger.ts';

export const cellStatuses = ['pending', 'running', 'finished', 'failed'] as const;
export type CellStatus = (typeof cellStatuses)[number];

/** A cell of a grid as it is registered. */
export interface CellEntry {
	readonly position: number;
	readonly name: string;
	/** Option to value, as written in the grid. */
	readonly settings: Readonly<Record<string, unknown>>;
	readonly rung: number;
	readonly run: {
		/** Hash of its identity. */
		readonly id: string;
		/** Relative to the ledger's folder. */
		readonly folder: string;
		/** YAML. */
		readonly config: string;
		readonly datasetHash: string | null;
		/** JSON. */
		readonly baseFingerprint: string | null;
		/** Why there is no identity: the run can't be begun. */
		readonly error?: VulntuneError;
	};
}

export interface GridEntry {
	readonly name: string;
	readonly file: string;
	readonly columns: readonly string[];
}

/** What is known of a run. */
export interface LedgerRun {
	readonly runId: string;
	/** As the ledger has it: relative to its folder, or absolute. */
	readonly folder: string;
	/** What a process computes that is gone is pending: the next that asks takes it over. */
	readonly status: CellStatus;
	readonly config: string;
	readonly attempts: number;
	readonly errorCode: string | null;
	readonly errorMessage: string | null;
	readonly environment: string | null;
	/** Over the bytes of the data that it is measured on; null where they could not be read. */
	readonly datasetHash: string | null;
	readonly bestEpoch: number | null;
	readonly verdict: string | null;
	readonly seconds: number | null;
	readonly peakBytes: number | null;
}

/** A cell with what is known of its run. */
export interface LedgerCell extends LedgerRun {
	readonly grid: string;
	readonly position: number;
	readonly name: string;
	readonly settings: Readonly<Record<string, unknown>>;
	readonly rung: number;
}

/** A cell, or a run whose cell is in no grid any more: then grid and position are null, and nothing is known of its settings. */
export interface FoundCell extends Omit<LedgerCell, 'grid' | 'position' | 'rung'> {
	readonly grid: string | null;
	readonly position: number | null;
}

/**
 * Writes a grid's cells, and their runs where they are new: what a run has come to stays. Cells of the same grid that are not in
 * `cells` any more are forgotten, their runs are not. What was promoted stays as long as the first rung is the same.
 *
 * @returns the cells that were finished under the same name and settings with other data or another base than there is now
 */
export function registerGrid(
	{ database }: Ledger,
	grid: GridEntry,
	cells: readonly CellEntry[],
): readonly OutdatedCell[] {
	return transaction(database, () => {
		const outdated = outdatedCells({ database }, grid.name, cells);
		database
			.prepare('INSERT OR REPLACE INTO grids (name, file, columns) VALUES (?, ?, ?)')
			.run(grid.name, grid.file, JSON.stringify(grid.columns));
		const before = database
			.prepare('SELECT run FROM cells WHERE grid = ? AND rung = 0 ORDER BY position')
			.all(grid.name);
		const isSame = before.map(({ run }) => run).join() === cells.map(({ run }) => run.id).join();
		database.prepare(`DELETE FROM cells WHERE grid = ? ${isSame ? 'AND rung = 0' : ''}`).run(grid.name);
		for (const cell of cells) insertCell({ database }, grid.name, cell);
		// what could not be identified was no run
		database.exec(
			"DELETE FROM runs WHERE dataset_hash IS NULL AND id NOT IN (SELECT run FROM cells) AND status <> 'running'",
		);
		return outdated;
	});
}

/** A finished cell whose inputs are not what they were. */
export interface OutdatedCell {
	readonly name: string;
	readonly changed: 'data' | 'base';
	/** Of the finished run: relative to the ledger's folder, or absolute. */
	readonly folder: string;
}

function outdatedCells(
	{ database }: Pick<Ledger, 'database'>,
	grid: string,
	cells: readonly CellEntry[],
): OutdatedCell[] {
	const select = database.prepare(
		`SELECT folder, dataset_hash, base_fingerprint FROM cells JOIN runs ON runs.id = run
		WHERE grid = ? AND name = ? AND rung = 0 AND status = 'finished' AND config = ? AND id <> ?`,
	);
	return cells.flatMap(({ name, rung, run }): OutdatedCell[] => {
		const found = rung > 0 ? undefined : select.get(grid, name, run.config, run.id);
		if (found === undefined || run.error !== undefined) return [];
		const changed = found.dataset_hash === run.datasetHash ? 'base' : 'data';
		return [{ name, changed, folder: found.folder as string }];
	});
}

/** Adds cells behind those of a grid, save those that another process has added. */
export function appendCells(
	{ database }: Ledger,
	grid: string,
	cells: readonly Omit<CellEntry, 'position'>[],
): void {
	transaction(database, () => {
		const isThere = database.prepare('SELECT 1 FROM cells WHERE grid = ? AND rung = ? AND run = ?');
		const last = database.prepare('SELECT max(position) AS position FROM cells WHERE grid = ?');
		for (const cell of cells) {
			if (isThere.get(grid, cell.rung, cell.run.id) !== undefined) continue;
			const position = Number(last.get(grid)!.position) + 1;
			insertCell({ database }, grid, { ...cell, position });
		}
	});
}

/** Writes one cell; inside a transaction. */
function insertCell(
	{ database }: Pick<Ledger, 'database'>,
	grid: string,
	{ position, name, settings, rung, run }: CellEntry,
): void {
	const { id, folder, config, datasetHash, baseFingerprint, error } = run;
	database
		.prepare(
			`INSERT INTO runs (id, folder, status, config, dataset_hash, base_fingerprint, error_code, error_message)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
			SET error_code = excluded.error_code, error_message = excluded.error_message WHERE excluded.status = 'failed'`,
		)
		.run(
			id,
			folder,
			error === undefined ? 'pending' : 'failed',
			config,
			datasetHash,
			baseFingerprint,
			error?.code ?? null,
			error?.message ?? null,
		);
	database
		.prepare('INSERT INTO cells (grid, position, name, settings, run, rung) VALUES (?, ?, ?, ?, ?, ?)')
		.run(grid, position, name, JSON.stringify(settings), id, rung);
}

const selectCells = `SELECT grid, position, name, settings, rung, runs.* FROM cells JOIN runs ON runs.id = cells.run`;

/** The cells of a grid, or of all grids. */
export function readCells({ database }: Ledger, grid?: string): LedgerCell[] {
	const order = 'ORDER BY grid, position';
	const rows =
		grid === undefined
			? database.prepare(`${selectCells} ${order}`).all()
			: database.prepare(`${selectCells} WHERE grid = ? ${order}`).all(grid);
	return rows.map((row) => ({
		grid: row.grid as string,
		position: row.position as number,
		name: row.name as string,
		settings: JSON.parse(row.settings as string),
		rung: row.rung as number,
		...runOf(row),
	}));
}

/** The runs whose cells no grid has any more. */
function readRunsWithoutCell({ database }: Ledger): LedgerRun[] {
	return database
		.prepare('SELECT * FROM runs WHERE id NOT IN (SELECT run FROM cells) ORDER BY folder')
		.all()
		.map(runOf);
}

function runOf(row: Readonly<Record<string, unknown>>): LedgerRun {
	const status = row.status as CellStatus;
	const [holder, heartbeat] = [row.holder as string | null, row.heartbeat as number | null];
	return {
		runId: row.id as string,
		folder: row.folder as string,
		status: status === 'running' && isGone({ holder, heartbeat }) ? 'pending' : status,
		config: row.config as string,
		attempts: row.attempts as number,
		errorCode: row.error_code as string | null,
		errorMessage: row.error_message as string | null,
		environment: row.environment as string | null,
		datasetHash: row.dataset_hash as string | null,
		bestEpoch: row.best_epoch as number | null,
		verdict: row.verdict as string | null,
		seconds: row.seconds as number | null,
		peakBytes: row.peak_bytes as number | null,
	};
}

export function readGrids({ database }: Ledger): GridEntry[] {
	const rows = database.prepare('SELECT name, file, columns FROM grids ORDER BY name').all();
	return rows.map(({ name, file, columns }) => ({
		name: name as string,
		file: file as string,
		columns: JSON.parse(columns as string),
	}));
}

/** How a cell is called in tables: by its number, behind its grid's name where the ledger has several grids. */
export function cellLabel({ grid, position }: LedgerCell, grids: readonly GridEntry[]): string {
	return grids.length > 1 ? `${grid}:${position}` : String(position);
}

/** Letters of an identity that are enough to name a run. */
const shortestIdentity = 6;

/**
 * The cell that a word names: its number (`3`, `grid:3`), its name, or the beginning of its run's identity; one that no grid has any more
 * by that beginning or by its run's folder.
 *
 * @throws VulntuneError CELL_UNKNOWN
 */
export function findCell(ledger: Ledger, word: string): FoundCell {
	const [cells, grids] = [readCells(ledger), readGrids(ledger)];
	const isIdentity = ({ runId }: LedgerRun) => word.length >= shortestIdentity && runId.startsWith(word);
	const tests: ((cell: LedgerCell) => boolean)[] = [
		(cell) => cellLabel(cell, grids) === word || `${cell.grid}:${cell.position}` === word,
		({ name }) => name === word,
		isIdentity,
	];
	for (const test of tests) {
		const found = cells.filter(test);
		const runs = new Set(found.map(({ runId }) => runId));
		if (runs.size === 1) return found[0]!;
	}
	const others = readRunsWithoutCell(ledger);
	const found = others.filter((run) => run.folder === word || isIdentity(run));
	if (found.length === 1) {
		const [run] = found as [LedgerRun];
		return { ...run, grid: null, position: null, name: run.folder, settings: {} };
	}
	const list = (names: readonly string[]) =>
		`${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
	const inGrids = list(cells.map((cell) => `${cellLabel(cell, grids)} (${cell.name})`));
	const inNone =
		others.length === 0 ? '' : `; and in no grid any more ${list(others.map(({ folder }) => folder))}`;
	throw inputError('CELL_UNKNOWN', `no one cell is called ${word}`, {
		remedy: `There are ${inGrids}: see vulntune experiment status${inNone}.`,
	});
}
