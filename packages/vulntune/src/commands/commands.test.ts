import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { accepts, expectation } from '../config/expectation.ts';
import { configOptions } from '../config/options.ts';
import { readFlagValue } from '../config/overrides.ts';
import { crossValidateCommand } from './cross-validate.ts';
import { datasetCommand } from './dataset.ts';
import { demoCommand } from './demo.ts';
import { describeMachine, doctorCommand } from './doctor.ts';
import { evaluateCommand } from './evaluate.ts';
import { experimentCommand } from './experiment.ts';
import { explainCommand } from './explain.ts';
import { modelCommand } from './model.ts';
import { pretrainCommand } from './pretrain.ts';
import { runCommandLine } from './program.ts';
import { trainCommand } from './train.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-commands-'));
afterAll(() => rmSync(folder, { recursive: true }));
const config = path.join(folder, 'config.yaml');
writeFileSync(config, 'model: base\ndata: { path: rows }\nmethod: { type: qlora }\nbackend: cpu\n');

/** Runs a command line with rooms that only write down what they were asked for. */
async function run(...argv: string[]) {
	const requests: unknown[] = [];
	const record = async (request: unknown) => {
		requests.push(request);
		return { data: null, text: '' };
	};
	let stdout = '';
	let stderr = '';
	const terminal = {
		stdout: (text: string) => void (stdout += text),
		stderr: (text: string) => void (stderr += text),
		isInteractive: false,
		columns: 100,
	};
	const definitions = [
		trainCommand(record),
		evaluateCommand(record),
		explainCommand(record),
		crossValidateCommand(record),
		experimentCommand({
			...{ run: record, status: record, show: record, compare: record, report: record, export: record },
		}),
		datasetCommand({ audit: record, inspect: record, split: record }),
		modelCommand({ info: record, quantize: record, merge: record, export: record }),
		pretrainCommand(record),
		demoCommand(record),
		doctorCommand,
	];
	const exitCode = await runCommandLine(argv, definitions, terminal, '0.0.0');
	return { exitCode, request: requests[0], stdout, stderr };
}

it.each([
	'',
	'train',
	'evaluate',
	'explain',
	'model',
	'model info',
	'model quantize',
	'model merge',
	'model export',
	'pretrain',
	'cross-validate',
	'experiment',
	...['run', 'status', 'show', 'compare', 'report', 'export'].map((name) => `experiment ${name}`),
	'dataset',
	...['audit', 'inspect', 'split'].map((name) => `dataset ${name}`),
	'demo',
	'doctor',
])('has examples in the help of vulntune %s', async (command) => {
	const { stdout } = await run(...command.split(' ').filter((word) => word !== ''), '--help');
	expect(stdout).toMatch(/\nExamples:\n {2}vulntune /);
});

it.each(['', 'model', 'dataset', 'experiment'])(
	'lists what vulntune %s has, a short line each',
	async (name) => {
		const { stdout } = await run(...(name === '' ? [] : [name]), '--help', '--json');
		const { commands } = JSON.parse(stdout) as { commands: { name: string; description: string }[] };
		for (const { description } of commands) expect(description).toMatch(/^[a-z].{8,70}[^.]$/);
	},
);

it('names the nearest option of a command within a command, and its help', async () => {
	const near = await run('experiment', 'run', 'grid.yaml', '--output', 'out', '--epochs', '3');
	expect(near.stderr).toContain('Did you mean --training.epochs?');
	const none = await run('model', 'info', 'base', '--surely-not');
	expect(none.stderr).toContain('See vulntune model info --help.');
});

describe('a flag of train with a value that it does not take', () => {
	// a text of an option that takes any is right, whatever it is
	const picky = configOptions.filter((option) => !accepts(option.schema, readFlagValue(option, 'maybe')));

	it.each(picky.map(({ name, schema }) => [name, expectation(schema)]))(
		'is answered with those that it takes: --%s',
		async (name, expected) => {
			for (const [argv, found] of [
				[[`--${name}`, 'maybe'], '"maybe"'],
				[[`--${name}=maybe`], '"maybe"'],
				[[`--${name}=`], '""'],
				...(expected === 'true or false' ? [] : [[[`--${name}`], 'nothing'] as const]),
			] as const) {
				const { exitCode, stderr, request } = await run('train', config, ...argv);
				expect({ exitCode, request }).toEqual({ exitCode: 2, request: undefined });
				expect(stderr).toContain(`--${name}: expected ${expected}, found ${found}`);
			}
		},
	);

	it('is answered wherever it stands, and a switch that takes none by that', async () => {
		const shared = await run('train', '--drop-near-duplicates', 'maybe', config);
		expect(shared.stderr).toContain('--drop-near-duplicates: expected true or false, found "maybe"');
		const dry = await run('train', config, '--dry-run', 'yes');
		expect(dry.stderr).toContain('--dry-run takes no value, found "yes"');
		const file = await run('train', '--dry-run', config, 'yes');
		expect(file.stderr).toContain('too many arguments');
		const jobs = await run('experiment', 'run', 'grid.yaml', '--output', 'out', '--jobs');
		expect(jobs.stderr).toContain('--jobs: expected a whole number of at least 1, found nothing');
	});

	it('is not one that only another command takes true or false for', async () => {
		const { request } = await run('train', config, '--training.checkpointing', 'auto');
		expect(request).toMatchObject({ config: { training: { checkpointing: 'auto' } } });
	});
});

describe('train', () => {
	it('hands over the config with its flags laid over it', async () => {
		const { request } = await run(
			...['train', config, '--training.epochs', '3', '--method.rsLora', '--data.collapseWhitespace', 'false'],
			...[
				'--training.earlyStopping',
				'null',
				'--method.targets',
				'[q_proj, v_proj]',
				'--output',
				'out',
				'--resume',
			],
		);
		expect(request).toMatchObject({
			resume: true,
			overwrite: false,
			dryRun: false,
			config: {
				training: { epochs: 3, earlyStopping: null },
				method: { rsLora: true, targets: ['q_proj', 'v_proj'] },
				data: { collapseWhitespace: false, path: path.join(folder, 'rows') },
				backend: { type: 'cpu' },
				output: path.resolve('out'),
			},
		});
	});

	it('says on stderr which options of the file have no effect', async () => {
		const lora = path.join(folder, 'lora.yaml');
		writeFileSync(lora, 'model: base\ndata: { path: rows }\nmethod: { type: lora, rank: 4 }\n');
		const { stderr, request } = await run('train', lora, '--method.type', 'head');
		expect(stderr).toBe('no effect with method.type head: method.rank\n');
		expect(request).toMatchObject({ config: { method: { type: 'head' } } });
	});

	it('takes --backend as a bare word, and a boolean flag right before the config', async () => {
		const { request } = await run('train', '--backend', 'reference', '--method.rsLora', config, '--dry-run');
		expect(request).toMatchObject({
			dryRun: true,
			config: { backend: { type: 'reference', threads: 'auto' }, method: { rsLora: true } },
		});
	});

	it('has a flag for every option', async () => {
		const { stdout } = await run('train', '--help');
		for (const { name } of configOptions) expect(stdout).toContain(`--${name} <`);
	});

	it('prints the JSON Schema', async () => {
		const { stdout, exitCode } = await run('train', '--print-schema');
		expect(exitCode).toBe(0);
		expect(JSON.parse(stdout).properties.training.properties.epochs).toMatchObject({
			default: 15,
			minimum: 1,
		});
		expect(JSON.parse((await run('train', '--print-schema', '--json')).stdout)).toEqual(JSON.parse(stdout));
	});

	it.each([
		[['train'], 'a config is missing'],
		[['train', config, '--resume', '--overwrite'], 'choose one'],
		[['train', config, '--training.epochs', '0'], '--training.epochs: expected a whole number'],
		[['train', config, '--training.epoch', '3'], 'Did you mean --training.epochs?'],
		[
			['train', 'absent.yaml'],
			"absent.yaml: the config can't be read: there is nothing at this path (ENOENT)",
		],
	])('ends with 2 for %j', async (argv, message) => {
		const { exitCode, stderr, request } = await run(...argv);
		expect(request).toBeUndefined();
		expect(stderr).toContain(message);
		expect(exitCode).toBe(2);
	});
});

describe('evaluate', () => {
	it('says that the question goes with --zero-shot, not with a method', async () => {
		const { stdout } = await run('evaluate', '--help');
		expect(stdout).toMatch(/nextToken: .*goes with --zero-shot/);
		expect(stdout).toMatch(/sequence: .*goes with --zero-shot/);
		expect(stdout).not.toContain('only with objective');
		expect(stdout).not.toContain('only with method');
	});

	it('scores a run or measures predictions', async () => {
		const own = {
			run: 'runs/a',
			data: undefined,
			split: 'test',
			lines: false,
			overrides: {},
			allowOtherBase: false,
			download: false,
			dryRun: false,
		};
		expect((await run('evaluate', 'runs/a')).request).toEqual(own);
		const changes = { data: 'd', split: 'valid', allowOtherBase: true };
		const flags = ['--data', 'd', '--split', 'valid', '--allow-other-base'];
		expect((await run('evaluate', 'runs/a', ...flags)).request).toEqual({ ...own, ...changes });
		// what of the backend isn't given is no longer the run's
		const machine = { 'backend.type': 'cpu', 'backend.isa': 'auto', 'backend.threads': '2' };
		const elsewhere = ['--model', 'm', '--backend', 'cpu', '--backend.threads', '2'];
		expect((await run('evaluate', 'runs/a', ...elsewhere)).request).toMatchObject({
			overrides: { ...machine, model: 'm' },
		});
		expect((await run('evaluate', 'runs/a', '--output', 'p.jsonl')).request).toMatchObject({
			output: 'p.jsonl',
		});
		expect((await run('evaluate', '--predictions', 'p.jsonl')).request).toEqual({
			predictions: 'p.jsonl',
			threshold: undefined,
		});
		expect((await run('evaluate', '--predictions', 'p.jsonl', '--threshold', '0.25')).request).toMatchObject({
			threshold: 0.25,
		});
	});

	it.each([
		[['evaluate'], 'a run folder or --predictions is missing'],
		[['evaluate', 'runs/a', '--predictions', 'p'], 'choose one'],
		[['evaluate', '--predictions', 'p', '--split', 'valid'], 'go with a run'],
		[['evaluate', '--predictions', 'p', '--against', 'q', '--threshold', '0.5'], 'each file needs its own'],
		[['evaluate', '--predictions', 'p', '--output', 'q'], 'go with a run'],
		[['evaluate', '--predictions', 'p', '--model', 'm'], 'go with a run'],
		[['evaluate', '--predictions', 'p', '--backend.isa', 'avx2'], 'go with a run'],
		[['evaluate', '--predictions', 'p', '--dry-run'], 'go with a run'],
		[['evaluate', 'runs/a', '--threshold', '0.5'], 'goes with --predictions'],
		[
			['evaluate', 'runs/a', '--split', 'tset'],
			'--split: expected one of train, valid, test, found "tset" (did you mean test?)',
		],
		[
			['evaluate', '--predictions', 'p', '--threshold', '2'],
			'--threshold: expected a number of at least 0 and of at most 1, found 2',
		],
	])('ends with 2 for %j', async (argv, message) => {
		const { exitCode, stderr } = await run(...argv);
		expect(stderr).toContain(message);
		expect(exitCode).toBe(2);
	});
});

it.each([
	['train', 'config'],
	['evaluate', 'run'],
	['dataset inspect', 'dataset'],
	['model info', 'model'],
])('%s takes no empty word for the working folder', async (command, name) => {
	const { exitCode, stderr, request } = await run(...command.split(' '), '');
	expect(stderr).toContain(`${name}: expected a text that is not empty, found ""`);
	expect([exitCode, request]).toEqual([2, undefined]);
});

it.each([
	[['cross-validate', config, '--folds', '1001'], 'of at most 1000, found 1001'],
	[['cross-validate', config, '--repeats', '1001'], 'of at most 1000, found 1001'],
	[
		['demo', '--seed', '99999999999999999999'],
		'found 100000000000000000000, which is beyond the whole numbers',
	],
	[['train', config, '--training.seed', '1e300'], 'found 1e+300, which is beyond the whole numbers'],
])('says what is too large in %j', async (argv, message) => {
	const { exitCode, stderr } = await run(...argv);
	expect(stderr).toContain(message);
	expect(exitCode).toBe(2);
});

it('hands over whether a model is fetched, and whether only a plan is made', async () => {
	const zeroShot = ['evaluate', '--zero-shot', '--model', 'm', '--data', 'd'];
	expect((await run(...zeroShot)).request).toMatchObject({ download: false, dryRun: false });
	const both = ['--download', '--dry-run'];
	expect((await run(...zeroShot, ...both)).request).toMatchObject({ download: true, dryRun: true });
	expect((await run('evaluate', 'runs/a', '--dry-run')).request).toMatchObject({ dryRun: true });
	const folds = ['cross-validate', config];
	expect((await run(...folds)).request).toMatchObject({ folds: 5, download: false, dryRun: false });
	expect((await run(...folds, ...both)).request).toMatchObject({ download: true, dryRun: true });
});

describe('dataset split', () => {
	const split = (...flags: string[]) => run('dataset', 'split', 'd', '--output', 'o', ...flags);

	it.each([
		[['--parts', '0.9,0.1'], '--parts: expected three shares that are 1 together, found 0.9, 0.1\n'],
		[['--parts', '0.9,0.1,0.1'], 'found 0.9, 0.1, 0.1, which are 1.1\n  Give those of train'],
		[['--parts', '0.8,0.1,NaN'], '--parts: '],
		[['--by', 'time', '--seed', '2'], '--seed would change nothing of a split --by time'],
		[
			['--by', 'commit', '--projects', 'p', '--similarity', '0.8'],
			'--projects and --similarity would change',
		],
	])('refuses %j', async (flags, message) => {
		const { exitCode, stderr } = await split(...flags);
		expect(stderr).toContain(message);
		expect(exitCode).toBe(2);
	});

	it.each([
		[[]],
		[['--seed', '2', '--projects', 'p', '--similarity', '0.8']],
		[['--by', 'time', '--projects', 'p']],
		[['--by', 'time', '--drop-near-duplicates', '--similarity', '0.8']],
		[['--parts', '1,0,0']],
	])('takes %j', async (flags) => {
		expect((await split(...flags)).exitCode).toBe(0);
	});
});

describe('model, demo', () => {
	it('hand over what was asked for', async () => {
		expect((await run('model', 'info', 'm')).request).toEqual({
			location: 'm',
			allowOtherBase: false,
			download: false,
		});
		const flags = ['--model', 'b', '--allow-other-base'];
		const asked = { location: 'm', model: 'b', allowOtherBase: true, download: false };
		expect((await run('model', 'info', 'm', ...flags)).request).toEqual(asked);
		expect((await run('model', 'quantize', 'm', '--type', 'nf4', '--output', 'o')).request).toEqual({
			model: 'm',
			type: 'nf4',
			output: 'o',
			double: true,
			overwrite: false,
			download: false,
		});
		const plain = await run('model', 'quantize', 'm', '--type', 'fp4', '--output', 'o', '--no-double');
		expect(plain.request).toMatchObject({ double: false });
		expect((await run('demo', '--seed', '4')).request).toEqual({ output: 'runs/demo', seed: 4 });
	});

	it('name every flag that is wrong or missing', async () => {
		const { exitCode, stderr } = await run('model', 'quantize', 'm', '--type', 'nf5');
		expect(exitCode).toBe(2);
		expect(stderr).toContain('--type: expected one of nf4, fp4');
		expect(stderr).toContain('--output: required');
	});
});

describe('pretrain', () => {
	const file = path.join(folder, 'pretrain.yaml');
	writeFileSync(file, 'source: { type: generated }');

	it('hands over the config with its flags and defaults', async () => {
		const { request } = await run(
			'pretrain',
			file,
			'--model.heads',
			'4',
			'--source.collapseWhitespace',
			'false',
		);
		expect(request).toMatchObject({
			config: {
				model: { heads: 4, keyValueHeads: 4 },
				source: { type: 'generated', collapseWhitespace: false },
			},
			resume: false,
			overwrite: false,
			dryRun: false,
		});
	});

	it('prints the JSON Schema of its own config', async () => {
		const { stdout } = await run('pretrain', '--print-schema');
		expect(JSON.parse(stdout)).toMatchObject({ required: ['source'], properties: { tokenizer: {} } });
	});

	it.each([
		[
			[file, '--model.heads', '3'],
			'model.hiddenSize: expected an even number per head for 3 heads, found 256',
		],
		[
			[file, '--training.epochs', 'many'],
			'--training.epochs: expected a whole number of at least 1, found "many"',
		],
		[[], 'a config is missing'],
		[[file, '--resume', '--overwrite'], 'choose one'],
	])('refuses %j', async (argv, message) => {
		const { exitCode, stderr } = await run('pretrain', ...argv);
		expect(stderr).toContain(message);
		expect(exitCode).toBe(2);
	});
});

describe('doctor', () => {
	it('prints the same report as lines and as JSON', async () => {
		const report = JSON.parse((await run('doctor', '--json')).stdout);
		for (const name of ['backend', 'isa', 'threads', 'memoryBytes', 'gpus'])
			expect(report).toHaveProperty(name);
		expect((await run('doctor')).stdout).toContain(`backend   ${report.backend}`);
	});

	it('says why there are no native kernels, and what takes their place', () => {
		const report = {
			backend: 'wasm',
			isa: null,
			peaks: null,
			threads: 2,
			memoryBytes: 2 ** 34,
			freeMemoryBytes: 2 ** 33,
			gpus: [],
			gpusMissing: 'there is no driver',
			node: '24.0.0',
			platform: 'linux-x64',
			cpu: 'some processor',
			instructionSets: [],
			nativeFailure: { reason: 'building the native kernels failed', details: 'no C++ compiler found' },
			wasmFailure: null,
			diskFreeBytes: 2 ** 35,
			tokenCacheFolder: 'cache',
			fits: [],
		} as const;
		const text = describeMachine(report);
		expect(text).toContain('building the native kernels failed');
		expect(text).toContain('no C++ compiler found');
		expect(text).toContain('g++');
		expect(text).toContain('WebAssembly takes their place');
		expect(text).toContain('gpus      none: there is no driver');
		expect(text).not.toContain('bf16');
		const measured = (bf16: number) => describeMachine({ ...report, peaks: { bf16, fp32: 2e11 } });
		expect(measured(1e11)).toContain('left, because they are not faster: 100 Gflop/s a thread, fp32 200');
		expect(measured(3e11)).toContain('bf16 instructions taken: 300 Gflop/s');
		const wasmFailure = { reason: 'the WebAssembly kernels could not be loaded', details: 'old runtime' };
		const worst = describeMachine({ ...report, backend: 'reference', wasmFailure });
		expect(worst).toContain('very slowly, because the WebAssembly kernels could not be loaded (old runtime)');
	});
});
