import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { type Ended, vulntune } from '../e2e/command-line.ts';
import { createProject } from '../e2e/project.ts';
import { checkpointedSteps, resultsOf } from '../e2e/run-results.ts';
import { filesOf } from '../files.ts';
import { testBackend } from '../tiny.ts';
import { equal, launchers, startTogether } from './launchers.ts';

/** Steps of three sequences, so that four processes have rounds that not all of them have a share of, and two a second round; moments in 8 bits, so that not only floats
 * go from process to process. */
const steps = ['--training.accumulation', '3', '--backend.threads', '1', '--training.optimizer', 'adamw8bit'];
// a sequence each for the functions of validation and test: otherwise there is one, and nothing to share out
const project = createProject({ train: 20, valid: 6, test: 6 });
// and a head that sees n-grams, which every process fits by itself
writeFileSync(
	project.config,
	readFileSync(project.config, 'utf8')
		.replace('largeFunctions', 'packing: none, largeFunctions')
		.replace('dropout: 0.1', 'dropout: 0.1, stack: ngram'),
);
const { root: cwd, inside } = project;
const train = (output: string, ...more: readonly string[]) => [
	...['train', 'config.yaml', '--output', output, ...steps],
	...more,
];
let whole: Record<string, string>;

/** A model of a few thousand weights; validation has several sequences. */
const pretraining = `source: { type: generated, functions: 80, seed: 1, validationShare: 0.1 }
model: { vocabularySize: 300, hiddenSize: 16, intermediateSize: 32, layers: 1, heads: 2, keyValueHeads: 1, maxPositions: 256 }
sequence: { length: 256 }
training: { steps: 3, accumulation: 3, precision: fp32, validateEverySteps: 2, checkpointEverySteps: 2 }
backend: ${testBackend}
`;

const nothingToTest = launchers.every(({ missing }) => missing !== undefined);
beforeAll(async () => {
	if (nothingToTest) return;
	expect((await vulntune(train('whole'), { cwd })).code).toBe(0);
	whole = resultsOf(inside('whole'));
});

describe.each(launchers)('several processes by $name', (launcher) => {
	const it2 = it.skipIf(launcher.missing !== undefined);
	const folder = (name: string) => `${launcher.program}-${name}`;
	const start = (size: number, argv: readonly string[]) =>
		startTogether(launcher, equal(size), argv, { cwd });

	// two and three do below, where one is interrupted
	it2('give the bytes of one process', async () => {
		const output = folder('four');
		const { code, stdout, stderr } = await start(4, train(output)).ended;
		expect(code, stderr).toBe(0);
		expect(stderr).toContain(`4 processes share the run out, by ${launcher.name}`);
		// the first alone speaks
		expect(stdout.match(/on the test split/gi)).toHaveLength(1);
		expect(resultsOf(inside(output))).toEqual(whole);
	});

	it2('end with one that is killed, and what they had saved goes on alone to the same bytes', async () => {
		const output = folder('killed');
		const running = start(2, train(output));
		await running.says('epoch 1: ');
		process.kill(childrenOf(running.child.pid!, output)[1]!, 'SIGKILL');
		expect((await running.ended).code).not.toBe(0);
		// a damaged one would throw here
		expect(checkpointedSteps(inside(output))).toBeGreaterThan(0);
		expect((await vulntune(train(output, '--resume'), { cwd })).code).toBe(0);
		expect(resultsOf(inside(output))).toEqual(whole);
	});

	it2('save once where one is interrupted, and go on in another number to the same bytes', async () => {
		const output = folder('interrupted');
		const running = start(2, train(output));
		await running.says('training ');
		process.kill(childrenOf(running.child.pid!, output)[1]!, 'SIGINT');
		const { code, stderr } = await running.ended;
		expect(code).toBe(130);
		expect(stderr.match(/everything up to the last sequence is saved/g)).toHaveLength(1);
		expect(readdirSync(inside(output))).not.toContain('run.lock');
		expect((await start(3, train(output, '--resume')).ended).code).toBe(0);
		expect(resultsOf(inside(output))).toEqual(whole);
	});

	const other = launchers.find(({ name, missing }) => name !== launcher.name && missing === undefined);
	it.skipIf(launcher.missing !== undefined || other === undefined)(
		'refuse the library of another launcher',
		async () => {
			const environment = { VULNTUNE_LIBMPI: other!.library };
			const running = startTogether(launcher, equal(2), train(folder('mixed')), { cwd, environment });
			const { code, stderr } = await running.ended;
			expect(code).toBe(4);
			expect(stderr).toMatch(/says that this is process \d of 2, but .* that it is 0 of 1/);
		},
	);
});

// what no launcher has a part in, by the first there is
describe.each(launchers.filter(({ missing }) => missing === undefined).slice(0, 1))(
	'several processes',
	(launcher) => {
		const run = (processes: readonly (readonly string[])[], argv: readonly string[]): Promise<Ended> =>
			startTogether(launcher, processes, argv, { cwd }).ended;

		test.for([
			[['--training.seed', '2'], 'process 1 has another configuration than process 0'],
			[['--data.path', 'absent'], 'process 1: there is no such folder'],
		] as const)('end before the first step with one that has %s', async ([own, message]) => {
			const output = 'different';
			const { code, stdout, stderr } = await run([[], own], train(output));
			expect([code, stdout]).toEqual([2, '']);
			expect(stderr.match(/error: /g)).toHaveLength(1);
			expect(stderr).toContain(message);
			expect(readdirSync(cwd)).not.toContain(output);
		});

		test('change nothing in a run that is there', async () => {
			const before = filesOf(inside('whole'));
			const { code, stderr } = await run(equal(2), train('whole'));
			expect([code, stderr.match(/error: .*already/g)?.length]).toEqual([2, 1]);
			const again = await run(equal(2), train('whole', '--resume'));
			expect([again.code, again.stdout]).toEqual([
				0,
				expect.stringMatching(/^[^\n]* is finished; nothing was changed\.\n$/),
			]);
			expect(filesOf(inside('whole'))).toEqual(before);
		});

		test('pretrain to the bytes of one', async () => {
			const words = ['pretrain', 'pretraining.yaml', '--output'];
			writeFileSync(inside('pretraining.yaml'), pretraining);
			expect((await vulntune([...words, 'one-base'], { cwd })).code).toBe(0);
			const { code, stderr } = await run(equal(2), [...words, 'two-base']);
			expect(code, stderr).toBe(0);
			const [one, two] = ['one-base', 'two-base'].map((output) => filesOf(inside(output)));
			for (const file of ['metrics.jsonl', 'model/model.safetensors']) expect(two![file]).toBe(one![file]);
		});

		test('refuse n-grams, which one process fits', async () => {
			writeFileSync(inside('ngram.yaml'), 'model: model\ndata: { path: data }\nmethod: { type: ngram }\n');
			const { code, stderr } = await run(equal(2), ['train', 'ngram.yaml', '--output', 'ngram']);
			expect([code, stderr]).toEqual([2, expect.stringContaining('runs in one process, but mpirun of')]);
		});
	},
);

// one process, told by the variables that a launcher sets that it is the first of two
const firstOfTwo = { OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_RANK: '0' };

describe.skipIf(nothingToTest)('the first of several processes', () => {
	it('says what to do where the library is missing', async () => {
		const environment = { ...firstOfTwo, VULNTUNE_LIBMPI: 'absent.so' };
		const { code, stderr } = await vulntune(train('no-library'), { cwd, environment });
		expect(code).toBe(4);
		expect(stderr).toContain('no MPI library could be loaded (absent.so: ');
		expect(stderr).toContain('or name its file in VULNTUNE_LIBMPI');
	});

	it('refuses what one process does', async () => {
		const { code, stderr } = await vulntune(['evaluate', 'whole'], { cwd, environment: firstOfTwo });
		expect([code, stderr]).toEqual([2, expect.stringContaining('runs in one process, but mpirun of')]);
	});
});

/** The processes of a launcher that compute a run, in the order of their ranks. */
function childrenOf(launcher: number, output: string): number[] {
	const own = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	const found = own.flatMap((name): { pid: number; rank: number }[] => {
		try {
			const command = readFileSync(path.join('/proc', name, 'cmdline'), 'utf8').split('\0');
			const environment = readFileSync(path.join('/proc', name, 'environ'), 'utf8');
			const rank = /(?:^|\0)(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)/.exec(environment)?.[1];
			return rank !== undefined && command.includes(output)
				? [{ pid: Number(name), rank: Number(rank) }]
				: [];
		} catch {
			// it has ended meanwhile
			return [];
		}
	});
	expect(found.map(({ pid }) => pid)).not.toContain(launcher);
	return found.toSorted((a, b) => a.rank - b.rank).map(({ pid }) => pid);
}
