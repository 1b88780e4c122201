import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config } from '../config/schema.ts';
import type { RunMode, RunOutcome, RunSignals, TrainingEvent } from '../fine-tuning/run-events.ts';
import { runMethod } from '../fine-tuning/run-method.ts';
import type { Signals } from '../run/run-thread.ts';
import { formatCount } from '../terminal/format.ts';
import { isBudgetSpent } from './budget.ts';
import { type Grid, loadGrid } from './grid/load-grid.ts';
import { atRung, promotions } from './halving.ts';
import { createIdentifier, type Identifier } from './identify.ts';
import {
	appendCells,
	type CellEntry,
	type CellStatus,
	type LedgerCell,
	readCells,
	registerGrid,
} from './ledger/cells.ts';
import { claimRun, failRun, now, releaseRun } from './ledger/claims.ts';
import { type Ledger, ledgerError, ledgerFile, openLedger } from './ledger/open-ledger.ts';
import { readEpochs, recordResult } from './ledger/results.ts';
import type { LogFormat } from './logs/log-formats.ts';
import { writeLog } from './logs/write-log.ts';
import { type CellChoice, selectCells } from './select-cells.ts';

/** What `vulntune experiment run` asks for. Plain data: it crosses threads and processes. */
export interface StudyRequest extends CellChoice {
	/** The grid's file. */
	readonly grid: string;
	/** Folder of the ledger and the runs. */
	readonly output: string;
	/** Options from the command line, for all cells. */
	readonly overrides: ConfigOverrides;
	/** Folders of other studies, or of several, whose finished runs are taken. */
	readonly reuse: readonly string[];
	/** Threads of a cell's kernels where its config leaves them open; null for its own choice. */
	readonly threads: number | null;
	/** Another program's format in which finished cells are written too. */
	readonly log: LogFormat | null;
}

/** What a study tells the process that shows it. */
export type StudyEvent =
	| TrainingEvent
	| {
			/** A cell is begun. */
			readonly type: 'cell';
			readonly name: string;
			/** Its number. */
			readonly position: number;
			/** Of the chosen cells, so many are finished. */
			readonly finished: number;
			readonly cells: number;
	  }
	| { readonly type: 'failed'; readonly name: string; readonly message: string };

export interface StudyOutcome {
	readonly status: 'ended' | 'interrupted' | 'budgetSpent';
	/** The grid's name in the ledger. */
	readonly grid: string;
	/** Chosen cells that failed. */
	readonly failed: number;
	/** Chosen cells that were not begun, for the budget. */
	readonly left: number;
}

/** What computes a cell; tests have quicker ones. */
export type ComputeRun = (config: Config, mode: RunMode, signals: RunSignals) => Promise<RunOutcome>;

const waitMilliseconds = 300;

/**
 * Runs the cells of a grid that are left, one after another, whatever other processes run of the same ledger at the same time. A cell
 * that fails is noted and the next one begun.
 *
 * @throws VulntuneError where the grid is wrong, or no cell at all can be begun
 */
export async function runStudy(
	request: StudyRequest,
	signals: Signals<StudyEvent>,
	compute: ComputeRun = runMethod,
): Promise<StudyOutcome> {
	const grid = loadGrid(request.grid, { overrides: request.overrides });
	const chosen = selectCells(grid, request);
	for (const line of grid.notes) signals.emit({ type: 'note', line });
	const identifier = createIdentifier();
	const samples =
		grid.search.type === 'halving' ? grid.cells.map((cell) => atRung(grid, cell, 0)) : grid.cells;
	const entries: CellEntry[] = [];
	for (const [position, cell] of samples.entries()) entries.push(await identifier.entryOf(cell, position));
	refuseHopeless(entries);
	const ledger = openLedger(request.output, { create: true });
	try {
		for (const line of register(ledger, grid, entries)) signals.emit({ type: 'note', line });
		const configs = new Map(entries.map(({ run }, i) => [run.id, samples[i]!.config]));
		const study: Study = { request, grid, chosen, ledger, identifier, configs, signals, compute };
		for (const folder of request.reuse) takeRuns(study, folder);
		for (const cell of readCells(ledger, grid.name)) {
			if (cell.status === 'finished') logCell(study, cell);
		}
		const status = await runCells(study);
		const cells = readCells(ledger, grid.name).filter((cell) => isChosen(study, cell));
		const count = (which: CellStatus) => cells.filter((cell) => cell.status === which).length;
		const left = status === 'budgetSpent' ? count('pending') : 0;
		return { status, grid: grid.name, failed: count('failed'), left };
	} catch (error) {
		throw ledgerError(error, ledgerFile(ledger.folder));
	} finally {
		ledger.close();
	}
}

interface Study {
	readonly request: StudyRequest;
	readonly grid: Grid;
	/** Numbers of the grid's cells that are to be run. */
	readonly chosen: readonly number[];
	readonly ledger: Ledger;
	readonly identifier: Identifier;
	/** The config of each run. */
	readonly configs: Map<string, Config>;
	readonly signals: Signals<StudyEvent>;
	readonly compute: ComputeRun;
}

/** Where every cell fails before it begins, the study is wrong, not a cell. */
function refuseHopeless(entries: readonly CellEntry[]): void {
	const errors = entries.map(({ run }) => run.error);
	const [first] = errors;
	if (first === undefined || errors.includes(undefined)) return;
	throw first;
}

/** Registers the grid; what there is to say of cells that were finished before. */
function register(ledger: Ledger, grid: Grid, entries: readonly CellEntry[]): string[] {
	const { name, file, columns } = grid;
	const outdated = registerGrid(ledger, { name, file: path.resolve(file), columns }, entries);
	return [...Map.groupBy(outdated, ({ changed }) => changed)].map(([changed, cells]) => {
		const shown = cells.slice(0, 3).map((cell) => `${cell.name} in ${cell.folder}`);
		const many = `${formatCount(cells.length, 'cell')} ${cells.length === 1 ? 'is' : 'are'}`;
		return `the ${changed} of ${name} changed since the last call: ${many} left again; what was finished stays where it is (${shown.join('; ')}${cells.length > 3 ? '; …' : ''})`;
	});
}

async function runCells(study: Study): Promise<StudyOutcome['status']> {
	const { ledger, grid, signals } = study;
	const started = now();
	while (true) {
		if (signals.interrupted()) return 'interrupted';
		if (grid.search.type === 'halving') await promote(study);
		const cells = readCells(ledger, grid.name).filter((cell) => isChosen(study, cell));
		// what is half done before what is new, and a higher rung before a lower one
		const order = cells.toSorted(
			(a, b) => b.rung - a.rung || Number(b.attempts > 0) - Number(a.attempts > 0),
		);
		const left = order.filter(({ status }) => status !== 'finished');
		if (left.length > 0 && isBudgetSpent(ledger, grid)) return 'budgetSpent';
		const claim = claimRun(ledger, { runs: left.map(({ runId }) => runId), retryBefore: started });
		if (claim.status === 'done') return 'ended';
		if (claim.status === 'waiting') {
			await sleep(waitMilliseconds);
			continue;
		}
		const cell = left.find(({ runId }) => runId === claim.run)!;
		const outcome = await runCell(study, cell, { finished: cells.length - left.length, cells: cells.length });
		if (outcome === 'interrupted') return 'interrupted';
	}
}

function logCell({ request, ledger }: Study, cell: LedgerCell): void {
	if (request.log !== null) writeLog(request.log, ledger.folder, cell);
}

/** The config of a cell of a higher rung. */
function sampleConfig(grid: Grid, { 'training.epochs': epochs, ...sample }: LedgerCell['settings']): Config {
	const cell = grid.cells.find(({ settings }) => isDeepStrictEqual(Object.fromEntries(settings), sample))!;
	return grid.withEpochs(cell, Number(epochs)).config;
}

function isChosen({ chosen, grid }: Study, { position, rung }: LedgerCell): boolean {
	return rung > 0 ? chosen.length === grid.cells.length : chosen.includes(position);
}

/** Runs a claimed cell to its end, and writes down what came of it. */
async function runCell(
	study: Study,
	cell: LedgerCell,
	counts: { readonly finished: number; readonly cells: number },
): Promise<'ended' | 'interrupted'> {
	const { ledger, request, configs, signals, compute } = study;
	const { runId, name, position } = cell;
	signals.emit({ type: 'cell', name, position, ...counts });
	const output = path.resolve(ledger.folder, cell.folder);
	const config = configs.get(runId)!;
	try {
		await requireUnchanged(cell, config);
		const mode = { resume: existsSync(output), overwrite: false, began: performance.now() };
		const outcome = await compute({ ...withThreads(config, request.threads), output }, mode, signals);
		if (outcome.status === 'interrupted') {
			releaseRun(ledger, runId);
			return 'interrupted';
		}
		recordResult(ledger, runId, output);
	} catch (thrown) {
		const error = ledgerError(thrown, ledgerFile(ledger.folder));
		const { code, message } =
			error instanceof VulntuneError ? error : { code: 'UNEXPECTED', message: String(error) };
		failRun(ledger, runId, { code, message });
		signals.emit({ type: 'failed', name, message });
		return 'ended';
	}
	logCell(study, cell);
	return 'ended';
}

/** The config with so many threads where it leaves them open. */
export function withThreads(config: Config, threads: number | null): Config {
	if (threads === null || config.backend.threads !== 'auto') return config;
	return { ...config, backend: { ...config.backend, threads } };
}

/**
 * Reads data and base again, which others may have changed since the study began: a cell is known by what they were. Throws
 * STUDY_INPUTS_CHANGED.
 */
async function requireUnchanged({ name, runId }: LedgerCell, config: Config): Promise<void> {
	const { run } = await createIdentifier().entryOf({ name, settings: new Map(), config }, 0);
	if (run.error !== undefined) throw run.error;
	if (run.id === runId) return;
	throw inputError('STUDY_INPUTS_CHANGED', 'the data or the base were changed since the study began', {
		place: config.data.path,
		remedy: 'Call the command again: it runs the cells of what is there now.',
	});
}

/** Adds the cells that successive halving lets go on. */
async function promote({ ledger, grid, identifier, configs }: Study): Promise<void> {
	const cells = readCells(ledger, grid.name);
	for (const { rung, runId, settings } of cells) {
		if (rung > 0 && !configs.has(runId)) configs.set(runId, sampleConfig(grid, settings));
	}
	const added = promotions(grid, cells, (cell) => validationScore(ledger, cell));
	if (added.length === 0) return;
	const entries: Omit<CellEntry, 'position'>[] = [];
	for (const { cell, rung } of added) {
		const entry = await identifier.entryOf(cell, 0, rung);
		entries.push(entry);
		configs.set(entry.run.id, cell.config);
	}
	appendCells(ledger, grid.name, entries);
}

/** Of the best epoch; where validation has one class, the loss decides, as it does in a run. */
function validationScore(ledger: Ledger, { runId }: LedgerCell): number {
	const epochs = readEpochs(ledger, runId);
	const areas = epochs.flatMap(({ rocAuc }) => (rocAuc === null ? [] : [rocAuc]));
	return areas.length > 0 ? Math.max(...areas) : -Math.min(...epochs.map(({ loss }) => loss));
}

/** Takes the finished runs of other ledgers that this study needs too. */
function takeRuns({ ledger, grid, signals }: Study, folder: string): void {
	const others = ledgersIn(folder).filter((other) => path.resolve(other) !== path.resolve(ledger.folder));
	if (others.length === 0) {
		throw inputError('LEDGER_NOT_FOUND', 'neither the folder nor one in it holds a ledger of another study', {
			place: folder,
			remedy: 'Give as --reuse what was the --output of vulntune experiment run.',
		});
	}
	let taken = 0;
	for (const place of others) {
		const other = openLedger(place);
		try {
			const finished = new Map(
				readCells(other)
					.filter(({ status }) => status === 'finished')
					.map((cell) => [cell.runId, path.resolve(place, cell.folder)]),
			);
			for (const { runId } of readCells(ledger, grid.name)) {
				const found = finished.get(runId);
				if (found !== undefined && takeRun(ledger, runId, found)) taken += 1;
			}
		} finally {
			other.close();
		}
	}
	signals.emit({
		type: 'note',
		line: `${taken} finished ${taken === 1 ? 'run' : 'runs'} taken from ${folder}`,
	});
}

function takeRun(ledger: Ledger, run: string, folder: string): boolean {
	if (claimRun(ledger, { runs: [run], retryBefore: now() }).status !== 'claimed') return false;
	try {
		return recordResult(ledger, run, folder);
	} catch (error) {
		releaseRun(ledger, run);
		throw error;
	}
}

function ledgersIn(folder: string): string[] {
	if (existsSync(ledgerFile(folder))) return [folder];
	if (!existsSync(folder)) return [];
	const inside = readdirSync(folder).toSorted();
	return inside.map((name) => path.join(folder, name)).filter((place) => existsSync(ledgerFile(place)));
}
