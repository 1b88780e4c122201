import { existsSync } from 'node:fs';
import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import type { Config } from '../config/schema.ts';
import { planNgram } from '../plan/plan-ngram.ts';
import { planTraining } from '../plan/plan-training.ts';
import { aboutDuration, formatBytes, formatCount, formatDuration } from '../terminal/format.ts';
import { textTable } from '../terminal/text-table.ts';
import { isBudgetSpent } from './budget.ts';
import { type Grid, type GridCell, loadGrid } from './grid/load-grid.ts';
import { atRung } from './halving.ts';
import { createIdentifier } from './identify.ts';
import { threadsOfJobs } from './jobs.ts';
import { ledgerFile, openLedger } from './ledger/open-ledger.ts';
import { type FinishedRun, type MeasuredSpeed, measuredSpeed, readFinishedRuns } from './measured-speed.ts';
import { type StudyRequest, withThreads } from './run-study.ts';
import { selectCells } from './select-cells.ts';

/** What one cell would take. */
export interface CellPlan {
	readonly cell: number;
	readonly name: string;
	/** Whether a run with its identity is finished already. */
	readonly finished: boolean;
	/** null where the data isn't there, or where there is nothing to measure, as for n-grams. */
	readonly seconds: number | null;
	/** Whether the time is by the speed of a finished cell, and not by a short measurement of this machine. */
	readonly isMeasured: boolean;
	readonly memoryBytes: number | null;
	/** Whether a card computes it. */
	readonly isOnCard: boolean;
	/** Data that isn't there. */
	readonly missing: string | null;
	/** Why it can't be run. */
	readonly error: string | null;
}

/** Whether a run would leave cells unfinished: some would fail, or would not be begun. */
export function wouldBePartial({ cells, isBudgetSpent }: StudyPlan): boolean {
	return isBudgetSpent || cells.some(({ missing, error }) => missing !== null || error !== null);
}

/** What `vulntune experiment run --dry-run --json` prints. */
export interface StudyPlan {
	readonly schema: 'vulntune.studyPlan/1';
	readonly grid: string;
	readonly cells: readonly CellPlan[];
	/** Processes that run cells at the same time. */
	readonly jobs: number;
	/** Of the cells that are left and could be estimated, shared out among the processes; one after another on a card, which they share. */
	readonly seconds: number;
	/** What the processes take together where their largest cells meet; null where none could be estimated. */
	readonly memoryBytes: number | null;
	readonly budgetHours: number | null;
	/** Whether the budget is used up, so that none of the cells that are left would be begun. */
	readonly isBudgetSpent: boolean;
	/** Under successive halving: cells of higher rungs, which are chosen as it goes, are not in the plan. */
	readonly isFirstRung: boolean;
}

export interface PlanStudyOptions {
	/** Processes that would run cells at the same time, each with its share of the threads. */
	readonly jobs?: number;
	readonly note: (line: string) => void;
	readonly progress: (done: number, total: number) => void;
}

/** Estimates what a grid takes; computes and writes nothing. */
export async function planStudy(
	request: StudyRequest,
	{ jobs = 1, note, progress }: PlanStudyOptions,
): Promise<StudyPlan> {
	const grid = loadGrid(request.grid, { overrides: request.overrides });
	for (const line of grid.notes) note(line);
	const { runs, isSpent } = standOf(request.output, grid);
	const finished = new Set(runs.map(({ cell }) => cell.runId));
	const identifier = createIdentifier();
	const speedOf = measuredSpeed(runs, identifier);
	const isHalving = grid.search.type === 'halving';
	const threads = threadsOfJobs(jobs);
	const told = new Set<string>();
	const noteOnce = (line: string) => {
		if (!told.has(line)) note(line);
		told.add(line);
	};
	const estimateOf = ({ config }: GridCell) => estimate(withThreads(config, threads), speedOf, noteOnce);
	const cells: CellPlan[] = [];
	const chosen = selectCells(grid, request);
	for (const [done, position] of chosen.entries()) {
		progress(done, chosen.length);
		const cell = isHalving ? atRung(grid, grid.cells[position]!, 0) : grid.cells[position]!;
		const { config, name } = cell;
		const common = { cell: position, name };
		const nothing = {
			...{ seconds: null, isMeasured: false, memoryBytes: null },
			...{ isOnCard: false, missing: null, error: null },
		};
		if (!existsSync(config.data.path)) {
			const plan = await estimateOf(cell);
			cells.push({ ...common, finished: false, ...nothing, ...plan, missing: config.data.path });
			continue;
		}
		const isIdentified = config.method.type === 'ngram' || existsSync(config.model);
		const entry = isIdentified ? await identifier.entryOf(cell, position) : undefined;
		const isFinished = entry !== undefined && finished.has(entry.run.id);
		if (isFinished) cells.push({ ...common, finished: true, ...nothing });
		else cells.push({ ...common, finished: false, ...nothing, ...(await estimateOf(cell)) });
	}
	progress(chosen.length, chosen.length);
	return {
		schema: 'vulntune.studyPlan/1',
		grid: path.resolve(request.grid),
		cells,
		jobs,
		seconds: timeOf(cells, jobs),
		memoryBytes: memoryOf(cells, jobs),
		budgetHours: grid.budgetHours,
		isBudgetSpent: isSpent && cells.some((cell) => !cell.finished),
		isFirstRung: isHalving,
	};
}

/**
 * Seconds until the last of so many processes is done, each of which takes the next cell when it has ended one. On a card, which they
 * share, cells take no less than one after another.
 */
export function timeOf(cells: readonly Pick<CellPlan, 'seconds' | 'isOnCard'>[], processes: number): number {
	const busy = new Array<number>(processes).fill(0);
	let onCard = 0;
	for (const { seconds, isOnCard } of cells) {
		busy[busy.indexOf(Math.min(...busy))]! += seconds ?? 0;
		if (isOnCard) onCard += seconds ?? 0;
	}
	return Math.max(onCard, ...busy);
}

/** Bytes of as many of the largest cells as run at the same time. */
function memoryOf(cells: readonly CellPlan[], jobs: number): number | null {
	const largest = cells.flatMap(({ memoryBytes }) => memoryBytes ?? []).toSorted((a, b) => b - a);
	return largest.length === 0 ? null : largest.slice(0, jobs).reduce((sum, bytes) => sum + bytes, 0);
}

/** What a ledger holds of a study. */
function standOf(output: string, grid: Grid): { readonly runs: FinishedRun[]; readonly isSpent: boolean } {
	if (!existsSync(ledgerFile(output))) return { runs: [], isSpent: false };
	const ledger = openLedger(output);
	try {
		return { runs: readFinishedRuns(ledger), isSpent: isBudgetSpent(ledger, grid) };
	} finally {
		ledger.close();
	}
}

type Estimate = Partial<Pick<CellPlan, 'seconds' | 'isMeasured' | 'memoryBytes' | 'isOnCard' | 'error'>>;

/** What a plan of the cell's own says; a cell that would fail says why. */
async function estimate(
	config: Config,
	speedOf: MeasuredSpeed,
	note: (line: string) => void,
): Promise<Estimate> {
	try {
		if (config.method.type === 'ngram') {
			if (existsSync(config.data.path)) await planNgram(config, { note });
			return {};
		}
		const plan = await planTraining(config, { allowOtherBase: false, note });
		const memory = { memoryBytes: plan.memoryBytes.total, isOnCard: plan.backend.startsWith('cuda') };
		const speed = plan.operations === null ? undefined : await speedOf(config, plan.backend);
		if (speed === undefined) return { seconds: plan.seconds?.total ?? null, ...memory };
		return { seconds: plan.operations! / speed, isMeasured: true, ...memory };
	} catch (error) {
		if (!(error instanceof VulntuneError)) throw error;
		return { error: error.message };
	}
}

/** The plan for people. */
export function renderStudyPlan(plan: StudyPlan): string {
	const { cells, seconds, budgetHours, isFirstRung } = plan;
	const hours = `${budgetHours} ${budgetHours === 1 ? 'hour' : 'hours'}`;
	const budget = plan.isBudgetSpent
		? `The budget of ${hours} is used up: none of the cells that are left would be begun.`
		: `No cell is begun after ${hours} of computing.`;
	const rows = cells.map(({ cell, name, finished, seconds: own, memoryBytes, missing, error }) => [
		`${cell}  ${name}`,
		own === null ? '' : formatDuration(own),
		memoryBytes === null ? '' : formatBytes(memoryBytes),
		finished ? 'finished' : missing !== null ? 'no data' : error !== null ? 'fails' : 'left',
	]);
	const missing = new Set(cells.flatMap((cell) => (cell.missing === null ? [] : [cell.missing])));
	const errors = cells.flatMap(({ cell, error }) => (error === null ? [] : [`Cell ${cell}: ${error}`]));
	return [
		textTable([['cell', 'time', 'memory', ''], ...rows]),
		'',
		cells.every(({ finished }) => finished)
			? `${formatCount(cells.length, 'cell')}, all finished: nothing is left to run.`
			: `${formatCount(cells.length, 'cell')}, ${aboutDuration(seconds)} ${orderOf(plan)}${basisOf(cells)}.`,
		...(isFirstRung ? ['These are of the first rung; which go on for more epochs shows as they end.'] : []),
		...(budgetHours === null ? [] : [budget]),
		...[...missing].map((place) => `${place} is not there: no time for its cells.`),
		...errors,
	].join('\n');
}

function orderOf({ jobs, memoryBytes }: StudyPlan): string {
	if (jobs === 1) return 'one after another';
	const memory = memoryBytes === null ? '' : ` in up to ${formatBytes(memoryBytes)}`;
	return `with ${jobs} at the same time${memory}`;
}

/** What the times are by. */
function basisOf(cells: readonly CellPlan[]): string {
	const timed = cells.filter(({ seconds }) => seconds !== null);
	const measured = timed.filter(({ isMeasured }) => isMeasured).length;
	if (timed.length === 0) return '';
	if (measured === 0) return ', by a short measurement of this machine as it is now';
	return measured === timed.length
		? ', by the speed of cells that are finished'
		: `, ${measured} of them by the speed of cells that are finished, the others by a short measurement of this machine as it is now`;
}
