import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { describe, expect, it } from 'vitest';
import { writeTinyModel } from '../../../../tests/tiny.ts';
import { experimentCommands, type StartStudy } from '../commands/run-experiment-commands.ts';
import type { RunMode } from '../fine-tuning/run-events.ts';
import { readCells } from './ledger/cells.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { type ComputeRun, runStudy, type StudyEvent, type StudyRequest } from './run-study.ts';
import { requestOf, silent, standIn, studyFolder } from './testing/study-folder.ts';

const { inside, write } = studyFolder();
let made = 0;
const output = () => inside(`study-${made++}`);

const seeds = write('seeds.yaml', 'config: config.yaml\naxes: { training.seed: [1, 2, 3] }\n');

const cellsOf = (folder: string) => {
	const ledger = openLedger(folder);
	try {
		return readCells(ledger);
	} finally {
		ledger.close();
	}
};
const statuses = (folder: string) => cellsOf(folder).map(({ status }) => status);

describe('a study', () => {
	it('runs each cell once, however often it is started', async () => {
		const [folder, computed]: [string, number[]] = [output(), []];
		const outcome = await runStudy(requestOf(seeds, folder), silent, standIn(computed));
		expect(outcome).toEqual({ status: 'ended', grid: 'seeds', failed: 0, left: 0 });
		expect(computed).toEqual([1, 2, 3]);
		await runStudy(requestOf(seeds, folder), silent, standIn(computed));
		expect(computed).toEqual([1, 2, 3]);
		const [first] = cellsOf(folder);
		expect(path.basename(first!.folder)).toBe(first!.runId.slice(0, 16));
		expect(existsSync(path.join(folder, first!.folder, 'comparison.json'))).toBe(true);
	});

	it('does not run again what another grid of the ledger ran', async () => {
		const [folder, computed]: [string, number[]] = [output(), []];
		const other = write('more.yaml', 'config: config.yaml\naxes: { training.seed: [3, 4] }\n');
		await runStudy(requestOf(seeds, folder), silent, standIn(computed));
		await runStudy(requestOf(other, folder), silent, standIn(computed));
		expect(computed).toEqual([1, 2, 3, 4]);
		expect(cellsOf(folder).map(({ grid, status }) => `${grid} ${status}`)).toEqual([
			...['more finished', 'more finished', 'seeds finished', 'seeds finished', 'seeds finished'],
		]);
	});

	it('takes what another ledger has finished, from its folder or from one above', async () => {
		const computed: number[] = [];
		const parts = output();
		for (const cell of [0, 2]) {
			await runStudy(requestOf(seeds, path.join(parts, `${cell}`), { cell }), silent, standIn(computed));
		}
		const folder = output();
		await runStudy(requestOf(seeds, folder, { reuse: [parts] }), silent, standIn(computed));
		expect(computed).toEqual([1, 3, 2]);
		expect(statuses(folder)).toEqual(['finished', 'finished', 'finished']);
		const again = output();
		await runStudy(
			requestOf(seeds, again, { reuse: [path.join(parts, '0'), folder] }),
			silent,
			standIn(computed),
		);
		expect(computed).toEqual([1, 3, 2]);
		const nowhere = requestOf(seeds, output(), { reuse: [inside('nowhere')] });
		await expect(runStudy(nowhere, silent, standIn(computed))).rejects.toThrow(
			/holds a ledger of another study/,
		);
	});

	it('leaves a cell its own folder where what another ledger has of it is damaged', async () => {
		const [other, folder] = [output(), output()];
		await runStudy(requestOf(seeds, other, { cell: 0 }), silent, standIn([]));
		const before = cellsOf(other)[0]!;
		writeFileSync(path.join(other, before.folder, 'comparison.json'), '');
		await expect(runStudy(requestOf(seeds, folder, { reuse: [other] }), silent, standIn([]))).rejects.toThrow(
			/comparison\.json: broken JSON/,
		);
		expect(cellsOf(folder)[0]).toMatchObject({ status: 'pending', folder: before.folder });
	});

	it('keeps no numbers of data that were changed while it ran', async () => {
		const folder = output();
		const rows = readFileSync(inside('test.jsonl'), 'utf8');
		const data = output();
		mkdirSync(data);
		for (const split of ['train', 'valid', 'test']) writeFileSync(path.join(data, `${split}.jsonl`), rows);
		const change = (text: string) => writeFileSync(path.join(data, 'test.jsonl'), rows + text);
		const extra = (idx: number) => `{"idx":${idx},"code":"int g();","target":0}\n`;
		const computed: number[] = [];
		// seed 1: changed while it is computed, as its run folder says; seed 2: before it is begun
		const compute: ComputeRun = (config, mode, own) => {
			if (config.training.seed === 1) change(extra(7));
			return standIn(computed)(config, mode, own);
		};
		const overrides = { 'data.path': data };
		expect(await runStudy(requestOf(seeds, folder, { overrides }), silent, compute)).toMatchObject({
			failed: 3,
		});
		expect(computed).toEqual([1]);
		expect(cellsOf(folder).map(({ errorCode }) => errorCode)).toEqual([
			...['RUN_OTHER', 'STUDY_INPUTS_CHANGED', 'STUDY_INPUTS_CHANGED'],
		]);
		expect(await runStudy(requestOf(seeds, folder, { overrides }), silent, standIn([]))).toMatchObject({
			failed: 0,
		});
	});

	it('says that its ledger is damaged where that shows while it runs', async () => {
		const folder = output();
		const compute: ComputeRun = (config, mode, own) => {
			const { database, close } = openLedger(folder);
			database.exec('DROP TABLE cells');
			close();
			return standIn([])(config, mode, own);
		};
		await expect(runStudy(requestOf(seeds, folder), silent, compute)).rejects.toMatchObject({
			code: 'LEDGER_DAMAGED',
			place: path.join(folder, 'ledger.sqlite'),
		});
		await expect(experimentCommands().status(folder, {} as never)).rejects.toMatchObject({
			code: 'LEDGER_DAMAGED',
		});
	});

	it('says that data changed since cells were finished, runs them anew and keeps what they came to', async () => {
		const [folder, data] = [output(), output()];
		mkdirSync(data);
		const rows = readFileSync(inside('test.jsonl'), 'utf8');
		for (const split of ['train', 'valid', 'test']) writeFileSync(path.join(data, `${split}.jsonl`), rows);
		const computed: number[] = [];
		const notes: string[] = [];
		const emit = (event: StudyEvent) => void (event.type === 'note' && notes.push(event.line));
		const run = (cell: number) =>
			runStudy(
				requestOf(seeds, folder, { cell, overrides: { 'data.path': data } }),
				{ ...silent, emit },
				standIn(computed),
			);
		await run(0);
		await run(0);
		expect(notes).toEqual([]);
		const before = cellsOf(folder)[0]!.folder;
		writeFileSync(path.join(data, 'train.jsonl'), rows + rows.replaceAll('"idx":', '"idx":1'));
		await run(1);
		await run(0);
		expect(computed).toEqual([1, 2, 1]);
		expect(notes).toEqual([
			`the data of seeds changed since the last call: 1 cell is left again; what was finished stays where it is (seed=1 in ${before})`,
		]);
		expect(existsSync(path.join(folder, before, 'comparison.json'))).toBe(true);
	});

	it('makes a ledger anew from the finished runs beside it, and computes none of them again', async () => {
		const folder = output();
		await runStudy(requestOf(seeds, folder), silent, standIn([]));
		const file = path.join(folder, 'ledger.sqlite');
		writeFileSync(file, 'x'.repeat(5000));
		await expect(runStudy(requestOf(seeds, folder), silent, standIn([]))).rejects.toMatchObject({
			code: 'LEDGER_DAMAGED',
			remedy: expect.stringMatching(/keep it under another name.* call vulntune experiment run/),
		});
		renameSync(file, path.join(folder, 'damaged.sqlite'));
		const modes: RunMode[] = [];
		const found: ComputeRun = async ({ output: run }, mode) => {
			modes.push(mode);
			return { status: 'alreadyFinished', output: run };
		};
		expect(await runStudy(requestOf(seeds, folder), silent, found)).toMatchObject({ failed: 0 });
		expect(modes.map(({ resume }) => resume)).toEqual([true, true, true]);
		expect(statuses(folder)).toEqual(['finished', 'finished', 'finished']);
	});

	it('that holds no cells yet says what puts some into it', async () => {
		const folder = output();
		openLedger(folder, { create: true }).close();
		const { text } = await experimentCommands().status(folder, {} as never);
		expect(text).toMatch(/^The ledger holds no cells yet: vulntune experiment run/);
	});

	it('tells of each cell that it begins its number and how many are finished', async () => {
		const folder = output();
		const notes: string[] = [];
		const progress = { note: (line: string) => void notes.push(line), update: () => {}, finish: () => {} };
		const start: StartStudy = (request, _jobs, emit) => runStudy(request, { ...silent, emit }, standIn([]));
		await experimentCommands(start).run(
			{ grid: seeds, output: folder, overrides: {}, jobs: 1, only: '1,2', dryRun: false } as never,
			{ progress, interruption: () => new AbortController().signal },
		);
		expect(notes).toEqual(['cell 1 (0 of 2 finished): seed=2', 'cell 2 (1 of 2 finished): seed=3']);
	});

	it('goes on where a cell fails, says which, and tries it again the next time', async () => {
		const folder = output();
		const events: StudyEvent[] = [];
		const emit = (event: StudyEvent) => void events.push(event);
		let isBroken = true;
		const compute: ComputeRun = (config, mode, signals) => {
			if (config.training.seed === 2 && isBroken) {
				throw new VulntuneError({ code: 'DIVERGED', kind: 'runtime', message: 'the loss is NaN' });
			}
			return standIn([])(config, mode, signals);
		};
		const outcome = await runStudy(requestOf(seeds, folder), { ...silent, emit }, compute);
		expect(outcome).toMatchObject({ status: 'ended', failed: 1 });
		expect(statuses(folder)).toEqual(['finished', 'failed', 'finished']);
		expect(cellsOf(folder)[1]).toMatchObject({ errorCode: 'DIVERGED', errorMessage: 'the loss is NaN' });
		expect(events).toContainEqual({ type: 'failed', name: 'seed=2', message: 'the loss is NaN' });
		isBroken = false;
		expect(await runStudy(requestOf(seeds, folder), silent, compute)).toMatchObject({ failed: 0 });
		expect(cellsOf(folder).map(({ attempts }) => attempts)).toEqual([1, 2, 1]);
	});

	it('runs the others where a cell cannot be begun, and nothing where none can', async () => {
		const folder = output();
		const text = 'config: config.yaml\naxes: { data.path: [absent, .] }\n';
		const outcome = await runStudy(requestOf(write('absent.yaml', text), folder), silent, standIn([]));
		expect(outcome).toMatchObject({ failed: 1 });
		expect(cellsOf(folder)[0]).toMatchObject({ status: 'failed', errorCode: 'DATASET_NOT_FOUND' });
		const none = write('none.yaml', 'config: config.yaml\naxes: { data.path: [absent, nowhere] }\n');
		await expect(runStudy(requestOf(none, output()), silent, standIn([]))).rejects.toThrow(/no such folder/);
	});

	it('begins a cell, gives it back where it is interrupted, and resumes it first', async () => {
		const folder = output();
		const resumed: boolean[] = [];
		let isInterrupted = false;
		const signals = { ...silent, interrupted: () => isInterrupted };
		const compute: ComputeRun = async (config, mode, own) => {
			expect(mode).toMatchObject({ resume: false, overwrite: false });
			if (config.training.seed !== 2) return standIn([])(config, mode, own);
			isInterrupted = true;
			mkdirSync(config.output, { recursive: true });
			return { status: 'interrupted', output: config.output };
		};
		expect(await runStudy(requestOf(seeds, folder), signals, compute)).toMatchObject({
			status: 'interrupted',
		});
		expect(statuses(folder)).toEqual(['finished', 'pending', 'pending']);
		const computed: number[] = [];
		await runStudy(requestOf(seeds, folder), silent, (config, mode, own) => {
			resumed.push(mode.resume);
			return standIn(computed)(config, mode, own);
		});
		expect(computed).toEqual([2, 3]);
		expect(resumed).toEqual([true, false]);
	});

	it('waits for the cells of another process, and takes over those of one that is gone', async () => {
		const folder = output();
		await runStudy(requestOf(seeds, folder, { cell: 0 }), silent, standIn([]));
		const ledger = openLedger(folder);
		const [, second] = readCells(ledger);
		const hold = (pid: number) =>
			ledger.database
				.prepare("UPDATE runs SET status = 'running', heartbeat = 0, holder = ? WHERE id = ?")
				.run(JSON.stringify({ pid, host: hostname(), startTime: null }), second!.runId);
		hold(process.ppid);
		const computed: number[] = [];
		const study = runStudy(requestOf(seeds, folder), silent, standIn(computed));
		await expect.poll(() => computed).toEqual([3]);
		hold(2 ** 22 + 1);
		await study;
		expect(computed).toEqual([3, 2]);
		ledger.close();
	});

	it('gives a cell’s kernels the threads of its share', async () => {
		const threads: unknown[] = [];
		const compute: ComputeRun = (config, mode, own) => {
			threads.push(config.backend.threads);
			return standIn([])(config, mode, own);
		};
		const text =
			'config: config.yaml\ncells: [{ training.seed: 7 }, { training.seed: 8, backend.threads: 5 }]\n';
		await runStudy(requestOf(write('threads.yaml', text), output(), { threads: 1 }), silent, compute);
		expect(threads).toEqual([1, 5]);
	});

	it('begins no cell once its budget is used up', async () => {
		// a stand-in run has computed for four seconds
		const text = 'config: config.yaml\naxes: { training.seed: [1, 2, 3] }\nbudget: { hours: 0.002 }\n';
		const [folder, computed]: [string, number[]] = [output(), []];
		const outcome = await runStudy(requestOf(write('budget.yaml', text), folder), silent, standIn(computed));
		expect(outcome).toEqual({ status: 'budgetSpent', grid: 'budget', failed: 0, left: 1 });
		expect(computed).toEqual([1, 2]);
	});

	it('counts to a budget what the cells of its own grid computed', async () => {
		const gridOf = (seeds: string, budget = '') =>
			`config: config.yaml\naxes: { training.seed: [${seeds}] }\n${budget}`;
		const folder = output();
		await runStudy(requestOf(write('before.yaml', gridOf('1, 2')), folder), silent, standIn([]));
		const computed: number[] = [];
		const grid = write('after.yaml', gridOf('3', 'budget: { hours: 0.002 }\n'));
		const outcome = await runStudy(requestOf(grid, folder), silent, standIn(computed));
		expect(outcome).toMatchObject({ status: 'ended' });
		expect(computed).toEqual([3]);
	});

	it('is a partial result where the budget is used up, which a dry run says before', async () => {
		const text = 'config: config.yaml\naxes: { training.seed: [1, 2, 3] }\nbudget: { hours: 0.002 }\n';
		const [grid, folder] = [write('spent.yaml', text), output()];
		const start: StartStudy = (request) => runStudy(request, silent, standIn([]));
		const run = (more: object) =>
			experimentCommands(start).run(
				{ grid, output: folder, overrides: {}, jobs: 1, dryRun: false, ...more } as never,
				{
					progress: { note: () => {}, update: () => {}, finish: () => {} },
					interruption: () => new AbortController().signal,
				},
			);
		const before = await run({ dryRun: true });
		expect(before).toMatchObject({ exitCode: 0, data: { isBudgetSpent: false } });
		expect(before.text).toContain('No cell is begun after 0.002 hours of computing.');
		expect(await run({})).toMatchObject({ exitCode: 3, data: { left: 1 } });
		const after = await run({ dryRun: true });
		expect(after).toMatchObject({ exitCode: 3, data: { isBudgetSpent: true } });
		expect(after.text).toContain(
			'The budget of 0.002 hours is used up: none of the cells that are left would be begun.',
		);
		// of those that are finished none is left
		expect(await run({ dryRun: true, only: '0,1' })).toMatchObject({ exitCode: 0 });
	});

	it('is planned as a partial result where data are missing, and tells once what its splits know of each other', async () => {
		const notes: string[] = [];
		const plan = (overrides: object) =>
			experimentCommands().run({ grid: seeds, output: output(), overrides, jobs: 1, dryRun: true } as never, {
				progress: { note: (line: string) => void notes.push(line), update: () => {}, finish: () => {} },
				interruption: () => new AbortController().signal,
			});
		const missing = await plan({ 'data.path': inside('absent') });
		expect(missing).toMatchObject({ exitCode: 3 });
		expect(missing.text).toContain(`${inside('absent')} is not there`);
		expect(await plan({})).toMatchObject({ exitCode: 0 });
		expect(notes).toEqual([expect.stringMatching(/^the splits are not apart/)]);
	});
});

describe('a choice of cells', () => {
	const chosen = async (more: Partial<StudyRequest>) => {
		const computed: number[] = [];
		await runStudy(requestOf(seeds, output(), more), silent, standIn(computed));
		return computed;
	};

	it('is by number, by value, or of one cell', async () => {
		expect(await chosen({ cell: 1 })).toEqual([2]);
		expect(await chosen({ only: ['0', '2'] })).toEqual([1, 3]);
		expect(await chosen({ only: ['seed=2', 'training.seed=3'] })).toEqual([2, 3]);
	});

	it('of what is not there is refused', async () => {
		await expect(chosen({ cell: 3 })).rejects.toThrow(/--cell: expected a number from 0 to 2, found 3/);
		await expect(chosen({ only: ['3'] })).rejects.toThrow(/--only 3: cells have numbers from 0 to 2/);
		await expect(chosen({ only: ['seed=9'] })).rejects.toThrow(/--only seed=9: no cell has this value/);
		await expect(chosen({ only: ['rank=9'] })).rejects.toThrow(/expected a cell's number, or OPTION=VALUE/);
	});
});

describe('successive halving', () => {
	const text = `config: lora.yaml
axes: { training.seed: { from: 1, to: 1000, whole: true } }
search: { type: halving, samples: 9, reduction: 3, minEpochs: 1 }
`;

	it('lets the best third by validation go on, rung by rung', async () => {
		writeTinyModel(inside('model'));
		write('lora.yaml', 'model: model\ndata: { path: . }\nmethod: { type: lora }\ntraining: { epochs: 9 }\n');
		const [folder, computed]: [string, number[]] = [output(), []];
		const run = () => runStudy(requestOf(write('halving.yaml', text), folder), silent, standIn(computed));
		await run();
		const cells = cellsOf(folder);
		const seedsOf = (rung: number) =>
			cells.filter((cell) => cell.rung === rung).map(({ settings }) => settings['training.seed'] as number);
		const best = (values: readonly number[]) => values.toSorted((a, b) => b - a);
		expect(seedsOf(0)).toHaveLength(9);
		// ASHA decides as results come: never fewer than the best three, which are among them
		expect(seedsOf(1)).toEqual(expect.arrayContaining(best(seedsOf(0)).slice(0, 3)));
		expect(seedsOf(2)).toContain(best(seedsOf(0))[0]);
		await run();
		expect(computed).toHaveLength(cells.length);
		expect(cellsOf(folder)).toEqual(cells);
	});
});
