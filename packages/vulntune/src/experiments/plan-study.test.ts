import os from 'node:os';
import { createBackend, createReferenceBackend } from '@vulntune/engine';
import { beforeAll, expect, it } from 'vitest';
import { testBackend, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { planStudy, renderStudyPlan, timeOf } from './plan-study.ts';
import { runStudy } from './run-study.ts';
import { requestOf, silent, standIn, studyFolder } from './testing/study-folder.ts';

const { inside, write } = studyFolder();
const study = inside('study');
const reference = createReferenceBackend();
const { name, description } = reference;
reference.close();
const here = {
	cpu: os.cpus()[0]?.model,
	cores: os.availableParallelism(),
	backend: `${name} (${description})`,
};

beforeAll(async () => {
	writeTinyModel(inside('model'));
	writeTinyDataset(inside('data'), { train: 8, valid: 4, test: 4 });
	write(
		'lora.yaml',
		`model: model
data: { path: data }
method: { type: lora, rank: 2 }
sequence: { length: 96, largeFunctions: truncate }
training: { epochs: 6, precision: fp32 }
backend: reference
`,
	);
	write('grid.yaml', 'config: lora.yaml\naxes: { training.seed: [1, 2], training.epochs: [6, 12] }\n');
	await runStudy(requestOf(inside('grid.yaml'), study, { cell: 0 }), silent, standIn([]));
});

/** The plan of what is left, where the finished cell took 60 seconds for 3 epochs in these surroundings. */
async function planAfter(environment: object, jobs = 1, overrides: Readonly<Record<string, string>> = {}) {
	const ledger = openLedger(study);
	const { id } = ledger.database.prepare("SELECT id FROM runs WHERE status = 'finished'").get() as {
		id: string;
	};
	ledger.database
		.prepare('UPDATE runs SET seconds = 60, environment = ? WHERE id = ?')
		.run(JSON.stringify(environment), id);
	ledger.database.exec('DELETE FROM epochs');
	const epoch = ledger.database.prepare('INSERT INTO epochs (run, epoch, loss) VALUES (?, ?, 1)');
	for (const number of [1, 2, 3]) epoch.run(id, number);
	ledger.close();
	const request = requestOf(inside('grid.yaml'), study, { overrides });
	const plan = await planStudy(request, { jobs, note: () => {}, progress: () => {} });
	return { ...plan, text: renderStudyPlan(plan) };
}

it('says that nothing is left where all cells are finished', async () => {
	const plan = await planAfter(here);
	const text = renderStudyPlan({ ...plan, cells: plan.cells.slice(0, 1) });
	expect(text).toContain('1 cell, all finished: nothing is left to run.');
});

it('times cells by the speed that a finished one had on this machine', async () => {
	const { cells, text } = await planAfter(here);
	expect(cells.map(({ finished, isMeasured }) => [finished, isMeasured])).toEqual([
		...[
			[true, false],
			[false, true],
			[false, true],
			[false, true],
		],
	]);
	// 20 seconds an epoch
	expect(cells.slice(1).map(({ seconds }) => seconds)).toEqual(
		[240, 120, 240].map((own) => expect.closeTo(own, 6)),
	);
	expect(text).toContain(
		'4 cells, about 10 min 0 s one after another, by the speed of cells that are finished.',
	);
});

it.each([
	['another processor', { cpu: 'another' }],
	['other cores', { cores: 0 }],
	['another backend', { backend: 'cpu (avx2, 1 thread)' }],
])('does not take the speed of %s', async (_, other) => {
	const { cells, text } = await planAfter({ ...here, ...other });
	expect(cells.map(({ isMeasured }) => isMeasured)).toEqual([false, false, false, false]);
	expect(text).toContain('one after another, by a short measurement of this machine as it is now.');
});

it('shares the time out among processes that take cells as they come, and adds up what they hold', async () => {
	const { cells, seconds, memoryBytes, text } = await planAfter(here, 2);
	// 240 by one, 120 and 240 by the other
	expect(seconds).toBeCloseTo(360, 6);
	expect(memoryBytes).toBe(cells[1]!.memoryBytes! + cells[2]!.memoryBytes!);
	expect(text).toMatch(
		/4 cells, about 6 min 0 s with 2 at the same time in up to [\d.]+ [MG]iB, by the speed/,
	);
	expect((await planAfter(here, 9)).seconds).toBeCloseTo(240, 6);
});

it('plans each of several processes with its share of the threads', async () => {
	const type = testBackend as 'cpu';
	const backend = createBackend({ type, isa: 'auto', threads: 1 }, () => {});
	const measured = { ...here, backend: `${backend.name} (${backend.description})` };
	backend.close();
	const { cells } = await planAfter(measured, os.availableParallelism(), { 'backend.type': type });
	expect(cells.map(({ isMeasured }) => isMeasured)).toEqual([false, true, true, true]);
});

it('shares out no time of a card, which all processes share', () => {
	const cells = (isOnCard: boolean) => [3, 1, 2, null].map((seconds) => ({ seconds, isOnCard }));
	expect([timeOf(cells(false), 2), timeOf(cells(true), 2), timeOf([], 2)]).toEqual([3, 6, 0]);
	// the slower of the two kinds decides
	expect(timeOf([...cells(true), { seconds: 9, isOnCard: false }], 2)).toBe(12);
});
