import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { hashStream, uniform } from '@vulntune/engine';
import { expect } from 'vitest';
import { readCells } from '../../packages/vulntune/src/experiments/ledger/cells.ts';
import { openLedger } from '../../packages/vulntune/src/experiments/ledger/open-ledger.ts';
import { startVulntune, vulntune } from './command-line.ts';
import type { Project } from './project.ts';
import { resultsOf } from './run-results.ts';

/** What came of the kills, to be printed. */
export interface StudyKillReport {
	readonly kills: number;
	/** Studies that came to their end in between. */
	readonly finishedStudies: number;
	/** Kills in which a cell was being computed. */
	readonly duringCells: number;
}

/**
 * Kills a study (SIGKILL) at random moments, calling it again each time. Every study must end in the ledger and the run folders of one
 * that nobody killed.
 *
 * @param grid the grid's file
 * @param seed of the moments
 */
export async function killStudyAtRandom(
	{ root: cwd, inside }: Project,
	grid: string,
	kills: number,
	seed: number,
): Promise<StudyKillReport> {
	const argv = (output: string) => ['experiment', 'run', grid, '--output', output];
	const started = performance.now();
	const whole = await vulntune(argv('whole'), { cwd });
	expect(whole.code, whole.stderr).toBe(0);
	const seconds = (performance.now() - started) / 1000;
	const expected = contentsOf(inside('whole'));

	const check = () => {
		expect(contentsOf(inside('killed'))).toEqual(expected);
		rmSync(inside('killed'), { recursive: true });
	};
	let [done, finishedStudies, duringCells] = [0, 0, 0];
	for (let attempt = 0; done < kills; attempt++) {
		expect(attempt).toBeLessThan(20 * kills);
		const run = startVulntune(argv('killed'), { cwd });
		// half of a process's time is loading: every other moment counts from the first cell
		if (attempt % 2 === 1) await run.says('cell ').catch(() => undefined);
		const share = uniform(seed, hashStream('study kills'), attempt);
		const timer = setTimeout(() => run.child.kill('SIGKILL'), 1000 * share * (seconds / (1 + (attempt % 2))));
		const { code, signal, stderr } = await run.ended;
		clearTimeout(timer);
		if (signal === 'SIGKILL') {
			done += 1;
			duringCells += Number(isRunning(inside('killed')));
		} else {
			expect(code, stderr).toBe(0);
			finishedStudies += 1;
			check();
		}
	}
	const last = await vulntune(argv('killed'), { cwd });
	expect(last.code, last.stderr).toBe(0);
	check();
	return { kills: done, finishedStudies: finishedStudies + 1, duringCells };
}

/** Whether a cell was begun and not ended, by the table itself: what a killed process left is read as pending. */
function isRunning(folder: string): boolean {
	if (!existsSync(path.join(folder, 'ledger.sqlite'))) return false;
	const ledger = openLedger(folder);
	try {
		return ledger.database.prepare("SELECT 1 FROM runs WHERE status = 'running'").get() !== undefined;
	} finally {
		ledger.close();
	}
}

/** A ledger's tables without what differs between equal studies, and the results of its runs. */
function contentsOf(folder: string): object {
	const ledger = openLedger(folder);
	try {
		const rowsOf = (table: string, columns = '*') =>
			ledger.database
				.prepare(`SELECT ${columns} FROM ${table}`)
				.all()
				.map((row) => JSON.stringify(row))
				.toSorted();
		const runs = rowsOf(
			'runs',
			'id, folder, status, config, dataset_hash, base_fingerprint, holder, error_code, best_epoch, verdict',
		);
		return {
			runs,
			tables: ['grids', 'cells', 'metrics', 'differences', 'epochs', 'predictions'].map((table) =>
				rowsOf(table),
			),
			results: readCells(ledger).map((cell) => resultsOf(path.resolve(folder, cell.folder))),
		};
	} finally {
		ledger.close();
	}
}
