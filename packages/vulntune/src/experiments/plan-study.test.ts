import os from 'node:os';
import { createReferenceBackend } from '@vulntune/engine';
import { beforeAll, expect, it } from 'vitest';
import { writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { planStudy, renderStudyPlan } from './plan-study.ts';
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
async function planAfter(environment: object) {
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
	const plan = await planStudy(requestOf(inside('grid.yaml'), study), { note: () => {}, progress: () => {} });
	return { cells: plan.cells, text: renderStudyPlan(plan) };
}

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
