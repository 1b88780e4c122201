import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { writeSampleRun } from '../../report/testing/sample-run.ts';
import { ownHolder } from '../../run/run-lock.ts';
import { readStudy } from '../read-study.ts';
import { readCell, renderCell } from '../show-cell.ts';
import { beatOf } from '../start-study.ts';
import { studyFolder } from '../testing/study-folder.ts';
import {
	appendCells,
	type CellEntry,
	cellLabel,
	findCell,
	readCells,
	readGrids,
	registerGrid,
} from './cells.ts';
import { beat, claimRun, failRun, now, releaseRun, staleSeconds } from './claims.ts';
import { flattenEvaluation } from './flat-metrics.ts';
import { type Ledger, ledgerError, ledgerFile, openLedger, transaction } from './open-ledger.ts';
import { readDifferences, readEpochs, readMetrics, recordResult } from './results.ts';
import { ledgerVersion } from './schema.ts';

const { inside } = studyFolder();
let made = 0;

const entry = (position: number, id = `${position}`.repeat(8)): CellEntry => ({
	...{ position, name: `seed=${position}`, settings: { 'training.seed': position }, rung: 0 },
	run: { id, folder: `runs/${id}`, config: 'training: { seed: 1 }', datasetHash: 'd', baseFingerprint: null },
});

function ledgerOf(...ids: readonly number[]): Ledger {
	const ledger = openLedger(inside(`ledger-${made++}`), { create: true });
	registerGrid(
		ledger,
		{ name: 'grid', file: 'grid.yaml', columns: ['training.seed'] },
		ids.map((id) => entry(id)),
	);
	return ledger;
}

const runs = ['1'.repeat(8), '2'.repeat(8)];
/** A folder's run is the first of these. */
const ofFirst = { environment: { fingerprint: runs[0] } };
const claim = (ledger: Ledger, retryBefore = now()) => claimRun(ledger, { runs, retryBefore });
/** Lets a run be held by somebody else. */
const heldBy = ({ database }: Ledger, holder: object, heartbeat = now()) =>
	database
		.prepare('UPDATE runs SET holder = ?, heartbeat = ? WHERE id = ?')
		.run(JSON.stringify(holder), heartbeat, runs[0]!);

describe('a ledger', () => {
	it('of version 1 is taken along, with all that it holds', () => {
		const folder = inside('old');
		makeFolder(folder);
		const sql = readFileSync(new URL('../testing/ledger-1.sql', import.meta.url), 'utf8');
		const old = new DatabaseSync(ledgerFile(folder));
		old.exec(sql);
		old.close();
		const ledger = openLedger(folder);
		expect(ledger.database.prepare('PRAGMA user_version').get()).toEqual({ user_version: ledgerVersion });
		const { cells, counts } = readStudy(ledger);
		expect(counts).toEqual({ pending: 1, running: 0, finished: 1, failed: 0 });
		expect(cells[0]).toMatchObject({
			...{ cell: '0', name: 'rank=4', status: 'finished', rung: 0, settings: { 'method.rank': 4 } },
			rocAuc: { value: 0.61, low: 0.54, high: 0.68 },
			f1: { value: 0.5, low: null, reason: 'one group' },
			...{ seconds: 12.5, peakBytes: 1048576 },
		});
		expect(readEpochs(ledger, cells[0]!.run).map(({ rocAuc }) => rocAuc)).toEqual([0.52, 0.58]);
		expect(readDifferences(ledger, cells[0]!.run, 'rocAuc').size).toBe(0);
		// and goes on as any other
		expect(claimRun(ledger, { runs: [cells[1]!.run], retryBefore: 0 }).status).toBe('claimed');
		ledger.close();
		openLedger(folder).close();
	});

	it('of the tables of version 1 has not changed since', () => {
		const before = new DatabaseSync(':memory:');
		before.exec(readFileSync(new URL('../testing/ledger-1.sql', import.meta.url), 'utf8'));
		const tables = before.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
		expect(tables.map(({ name }) => name)).toEqual([
			'cells',
			'epochs',
			'grids',
			'metrics',
			'predictions',
			'runs',
		]);
	});

	it('of a newer version, a damaged one and another file are refused', () => {
		const ledger = ledgerOf(1);
		ledger.database.exec(`PRAGMA user_version = ${ledgerVersion + 1}`);
		ledger.close();
		expect(() => openLedger(ledger.folder)).toThrow(/the ledger has version \d+, this program reads up to/);
		const folder = inside('foreign');
		makeFolder(folder);
		writeFileSync(ledgerFile(folder), 'x'.repeat(5000));
		expect(() => openLedger(folder)).toThrow(/no ledger of vulntune: file is not a database/);
		expect(() => openLedger(inside('absent'))).toThrow(/the folder holds no ledger/);
	});

	it('that was cut is refused, though SQLite takes a byte for a new one and what is missing of a page for zeros', () => {
		const { folder, database } = ledgerOf(1);
		database.close();
		const file = ledgerFile(folder);
		const whole = readFileSync(file);
		for (const size of [0, 1, 50, whole.length - 1, whole.length - 4096]) {
			writeFileSync(file, whole.subarray(0, size));
			expect(() => openLedger(folder), `${size}`).toThrow(
				expect.objectContaining({ code: 'LEDGER_DAMAGED' }),
			);
			expect(readFileSync(file), `${size}`).toHaveLength(size);
		}
		writeFileSync(file, whole);
		openLedger(folder).close();
		// what a process has made that is about to write
		writeFileSync(file, '');
		openLedger(folder, { create: true }).close();
	});

	it('that was not written to its end is whole where its log is', () => {
		const { folder, database } = ledgerOf(1);
		const [file, copy] = [ledgerFile(folder), inside('with-log')];
		makeFolder(copy);
		for (const end of ['', '-wal']) cpSync(`${file}${end}`, `${ledgerFile(copy)}${end}`);
		database.close();
		appendFileSync(ledgerFile(copy), 'half a page');
		const ledger = openLedger(copy);
		expect(readCells(ledger)).toHaveLength(1);
		ledger.close();
	});

	// a version has a byte of them to itself for long
	it.each([60, 61, 62])('whose version is damaged at byte %i is damaged, not newer', (at) => {
		const { folder, database } = ledgerOf(1);
		database.close();
		for (const value of [0x01, 0x7f, 0xff]) {
			const bytes = readFileSync(ledgerFile(folder));
			bytes[at] = value;
			writeFileSync(ledgerFile(folder), bytes);
			expect(() => openLedger(folder)).toThrow(expect.objectContaining({ code: 'LEDGER_DAMAGED' }));
		}
	});

	it('that another process holds for long is said to be held, not damaged', () => {
		const { folder, database } = ledgerOf(1);
		database.exec('BEGIN IMMEDIATE');
		expect(() => openLedger(folder, { patience: 20 })).toThrow(/another process holds the ledger/);
		database.exec('ROLLBACK');
		openLedger(folder, { patience: 20 }).close();
	});

	it('that no more fits on the disk is said to be that', () => {
		const { database, folder } = ledgerOf(1);
		database.exec('PRAGMA max_page_count = 1');
		const grow = () => {
			for (let i = 0; i < 1000; i++) database.exec(`CREATE TABLE t${i} (x)`);
		};
		expect(grow).toThrow(expect.objectContaining({ code: 'ERR_SQLITE_ERROR' }));
		let thrown: unknown;
		try {
			grow();
		} catch (error) {
			thrown = ledgerError(error, ledgerFile(folder));
		}
		expect(thrown).toMatchObject({ code: 'DISK_FULL', kind: 'resources', place: ledgerFile(folder) });
		// SQLite may have ended the transaction by itself
		const ended = () => {
			database.exec('ROLLBACK');
			throw new Error('full');
		};
		expect(() => transaction(database, ended)).toThrow('full');
		const other = new Error('of somebody else');
		expect(ledgerError(other, 'f')).toBe(other);
	});

	it.each([
		['may not be written', 8, 'FILE_FORBIDDEN'],
		['cannot be opened', 14, 'FILE_FORBIDDEN'],
		['lies on a disk that fails', 10 | (3 << 8), 'DISK_FAILURE'],
		['is held where it was read before', 5 | (2 << 8), 'LEDGER_BUSY'],
		['is corrupt', 11, 'LEDGER_DAMAGED'],
	])('that %s is said to be that', (_what, errcode, code) => {
		const error = Object.assign(new Error('of SQLite'), { code: 'ERR_SQLITE_ERROR', errcode });
		expect(ledgerError(error, 'f')).toMatchObject({ code, place: 'f' });
	});

	it('that is no file is refused as that', () => {
		const folder = inside('no-file');
		makeFolder(ledgerFile(folder));
		expect(() => openLedger(folder)).toThrow(/there is a folder at this path/);
	});

	it('is written ahead, so that readers never wait', () => {
		const { database } = ledgerOf(1);
		expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
	});

	it('keeps what runs came to where their grid is registered again, and forgets cells that are gone', () => {
		const ledger = ledgerOf(1, 2);
		claim(ledger);
		failRun(ledger, runs[0]!, { code: 'X', message: 'broken' });
		registerGrid(ledger, { name: 'grid', file: 'grid.yaml', columns: [] }, [entry(1)]);
		expect(readCells(ledger).map(({ position, status }) => [position, status])).toEqual([[1, 'failed']]);
		expect(readGrids(ledger)[0]!.columns).toEqual([]);
	});

	it('keeps promoted cells as long as the first rung is the same', () => {
		const ledger = ledgerOf(1, 2);
		const promoted = { ...entry(3), rung: 1 };
		appendCells(ledger, 'grid', [promoted]);
		appendCells(ledger, 'grid', [promoted]);
		expect(readCells(ledger).map(({ position, rung }) => [position, rung])).toEqual([
			[1, 0],
			[2, 0],
			[3, 1],
		]);
		const grid = { name: 'grid', file: 'grid.yaml', columns: [] };
		registerGrid(ledger, grid, [entry(1), entry(2)]);
		expect(readCells(ledger)).toHaveLength(3);
		registerGrid(ledger, grid, [entry(1), entry(4)]);
		expect(readCells(ledger)).toHaveLength(2);
	});

	it('finds cells by number, name and identity', () => {
		const ledger = ledgerOf(1, 2);
		const find = (word: string) => findCell(ledger, word).position;
		expect([find('1'), find('grid:2'), find('seed=2'), find('222222')]).toEqual([1, 2, 2, 2]);
		expect(() => find('22222')).toThrow(/no one cell is called 22222/);
		registerGrid(ledger, { name: 'other', file: 'o.yaml', columns: [] }, [entry(1, 'a'.repeat(8))]);
		expect(() => find('1')).toThrow(/no one cell is called 1\n.*grid:1 \(seed=1\)/);
		expect(findCell(ledger, 'other:1').runId).toBe('a'.repeat(8));
		expect(cellLabel(readCells(ledger)[0]!, readGrids(ledger))).toBe('grid:1');
	});

	it('shows a run whose cell is in no grid any more, by its identity and its folder', () => {
		const ledger = ledgerOf(1, 2);
		registerGrid(ledger, { name: 'grid', file: 'grid.yaml', columns: [] }, [entry(1)]);
		for (const word of ['222222', 'runs/22222222']) {
			const cell = readCell(ledger, word);
			expect(cell).toMatchObject({ grid: null, position: null, run: runs[1], status: 'pending' });
			expect(renderCell(cell)).toMatch(/^runs\/22222222, in no grid any more\npending, run 22222222 in .+\n/);
		}
		expect(renderCell(readCell(ledger, '1'))).toMatch(/^grid:1 {2}seed=1\n/);
		expect(() => readCell(ledger, 'seed=2')).toThrow(
			/There are 1 \(seed=1\): .+ no grid any more runs\/22222222\./,
		);
	});
});

describe('a claim', () => {
	it('is of one process: each run once, until none is left', () => {
		const ledger = ledgerOf(1, 2);
		expect(claim(ledger)).toEqual({ status: 'claimed', run: runs[0] });
		expect(claim(ledger)).toEqual({ status: 'claimed', run: runs[1] });
		expect(claim(ledger)).toEqual({ status: 'waiting' });
		for (const run of runs) failRun(ledger, run, { code: 'X', message: 'x' });
		expect(claim(ledger, now() - 10)).toEqual({ status: 'done' });
	});

	it('sees what another connection has claimed', () => {
		const ledger = ledgerOf(1, 2);
		const other = openLedger(ledger.folder);
		claim(ledger);
		expect(claim(other)).toEqual({ status: 'claimed', run: runs[1] });
		other.close();
	});

	it('is taken over where its process is gone', () => {
		const ledger = ledgerOf(1, 2);
		claim(ledger);
		expect(readStudy(ledger).counts).toMatchObject({ running: 1, pending: 1 });
		heldBy(ledger, { ...ownHolder(), startTime: '1' });
		expect(readStudy(ledger).counts).toMatchObject({ running: 0, pending: 2 });
		expect(readCell(ledger, '1').status).toBe('pending');
		expect(claim(ledger)).toEqual({ status: 'claimed', run: runs[0] });
		expect(readCells(ledger)[0]).toMatchObject({ attempts: 2, status: 'running' });
	});

	it('of another machine is taken over, with the lock of its run, once nothing was heard of it', () => {
		const ledger = ledgerOf(1);
		claim(ledger);
		const holder = { ...ownHolder(), host: `not-${os.hostname()}` };
		heldBy(ledger, holder, now() - staleSeconds / 2);
		expect(claimRun(ledger, { runs: runs.slice(0, 1), retryBefore: 0 }).status).toBe('waiting');
		const lock = path.join(ledger.folder, 'runs', runs[0]!, 'run.lock');
		makeFolder(path.dirname(lock));
		writeFileSync(lock, JSON.stringify(holder));
		heldBy(ledger, holder, now() - staleSeconds - 1);
		expect(claimRun(ledger, { runs: runs.slice(0, 1), retryBefore: 0 }).status).toBe('claimed');
		expect(() => readFileSync(lock)).toThrow('ENOENT');
	});

	it('outlives a beat of its process that fails', () => {
		const { folder } = ledgerOf(1);
		writeFileSync(ledgerFile(folder), 'x'.repeat(5000));
		expect(() => beatOf(folder)).not.toThrow();
	});

	it('is kept alive by its process', () => {
		const ledger = ledgerOf(1);
		claim(ledger);
		heldBy(ledger, ownHolder(), 0);
		beat(ledger);
		const { heartbeat } = ledger.database.prepare('SELECT heartbeat FROM runs').get() as {
			heartbeat: number;
		};
		expect(heartbeat).toBeGreaterThan(now() - 60);
	});

	it('tries what failed before, and not what failed since', () => {
		const ledger = ledgerOf(1);
		const only = { runs: runs.slice(0, 1) };
		claim(ledger);
		failRun(ledger, runs[0]!, { code: 'X', message: 'x' });
		expect(claimRun(ledger, { ...only, retryBefore: now() - 60 }).status).toBe('done');
		expect(claimRun(ledger, { ...only, retryBefore: now() + 1 }).status).toBe('claimed');
		expect(readCells(ledger)[0]!.errorCode).toBeNull();
	});

	it('is never of a finished run, though its caller read the ledger before that was so', () => {
		const ledger = ledgerOf(1);
		claim(ledger);
		recordResult(ledger, runs[0]!, writeSampleRun(inside('finished'), ofFirst));
		expect(claimRun(ledger, { runs: runs.slice(0, 1), retryBefore: now() + 1 }).status).toBe('done');
	});

	it('is given back by an interrupted process', () => {
		const ledger = ledgerOf(1);
		claim(ledger);
		releaseRun(ledger, runs[0]!);
		expect(readCells(ledger)[0]!.status).toBe('pending');
	});
});

describe('a result', () => {
	const folder = writeSampleRun(inside('run'), { ...ofFirst, epochs: 3 });

	it('is written whole by the process that holds the run', () => {
		const ledger = ledgerOf(1);
		claim(ledger);
		expect(recordResult(ledger, runs[0]!, folder)).toBe(true);
		const metrics = readMetrics(ledger, runs[0]!);
		expect([...metrics.keys()]).toEqual(['model', 'all-positive', 'length', 'ngram']);
		expect(metrics.get('model')!.get('rocAuc')!.low).toBeTypeOf('number');
		expect(metrics.get('length')!.get('brier')).toMatchObject({
			value: null,
			reason: expect.stringContaining('probability'),
		});
		expect(readDifferences(ledger, runs[0]!, 'f1').get('ngram')).toHaveProperty('p');
		expect(readEpochs(ledger, runs[0]!).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
		const [cell] = readCells(ledger);
		expect(cell).toMatchObject({ status: 'finished', bestEpoch: 1, seconds: 6, peakBytes: 2 ** 30 });
		expect(JSON.parse(cell!.environment!)).toMatchObject({ backend: 'reference' });
		const files = ledger.database.prepare('SELECT split, file FROM predictions ORDER BY split').all();
		expect(files.map(({ file }) => file)).toEqual(['predictions.test.jsonl', 'predictions.valid.jsonl']);
	});

	it.each([
		['dataset', { datasetHash: 'e' }],
		['base', { base: { weights: 'w' } }],
		['dataset and base', { datasetHash: 'e', base: { weights: 'w' } }],
		['configuration', { fingerprint: 'f' }],
	])('of another %s is not written', (what, environment) => {
		const ledger = ledgerOf(1);
		claim(ledger);
		const other = writeSampleRun(inside(`other ${what}`), {
			environment: { ...ofFirst.environment, ...environment },
			keepsBaselines: false,
		});
		expect(() => recordResult(ledger, runs[0]!, other)).toThrow(`was made with another ${what}`);
		expect(readCells(ledger)[0]).toMatchObject({ status: 'running', folder: entry(1).run.folder });
		expect(readMetrics(ledger, runs[0]!).size).toBe(0);
	});

	it('of a run that another process took over meanwhile is not written', () => {
		const ledger = ledgerOf(1);
		claim(ledger);
		heldBy(ledger, { ...ownHolder(), pid: 1 });
		expect(recordResult(ledger, runs[0]!, folder)).toBe(false);
		expect(readMetrics(ledger, runs[0]!).size).toBe(0);
	});
});

it('an evaluation is flattened with every number in it', () => {
	const flat = flattenEvaluation({
		counts: { functions: 4 },
		threshold: { value: 0.4 },
		confusion: null,
		f1: { value: null, reason: 'why' },
		recallAtFalsePositiveRate: { '0.005': { value: 0.1, low: 0, high: 0.2 } },
		f1_oracle: { value: 0.9, low: 0.8, high: 1, threshold: 0.3 },
		pairs: { count: 2, correct: { value: 0.5, low: null, high: null, reason: 'one pair' } },
		recallByWeakness: [{ weakness: 'CWE-79', positives: 3, recall: { value: 1, low: 1, high: 1 } }],
	} as never);
	expect(flat.map(({ metric, value, reason }) => [metric, value, reason])).toEqual([
		['counts.functions', 4, null],
		['threshold', 0.4, null],
		['f1', null, 'why'],
		['recallAtFalsePositiveRate.0.005', 0.1, null],
		['f1_oracle', 0.9, null],
		['f1_oracle.threshold', 0.3, null],
		['pairs.count', 2, null],
		['pairs.correct', 0.5, 'one pair'],
		['recallByWeakness.CWE-79.positives', 3, null],
		['recallByWeakness.CWE-79.recall', 1, null],
	]);
});
