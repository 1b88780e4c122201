import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openScorer, resolveConfig, runTraining } from 'vulntune';
import { evaluateRun } from '../../packages/vulntune/src/evaluation/evaluate-run.ts';
import { filesOf } from '../files.ts';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

type Emit = Parameters<typeof runTraining>[2]['emit'];
const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 12, valid: 6, test: 6 });
const others = writeTinyDataset(path.join(root, 'others'), { train: 16, valid: 6, test: 6 });
const fresh = { resume: false, overwrite: false };
const whole = path.join(root, 'whole');
const overrides = { 'backend.type': testBackend };
const configOf = (output: string, more: Readonly<Record<string, string>> = {}) =>
	tinyConfig({ model, data, output }, { ...overrides, 'method.stack': 'ngram', ...more });

/** Runs until it has told so many packs, then interrupts; from the first on while it fits n-grams, for 0. */
function runFor(output: string, packs: number, resume = false) {
	let seen = 0;
	return runTraining(
		configOf(output),
		{ resume, overwrite: false },
		{ emit: ({ type }) => void (seen += type === 'training' ? 1 : 0), interrupted: () => seen >= packs },
	);
}

const linesOf = (file: string) =>
	readFileSync(file, 'utf8')
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line));
const bytesOf = (output: string) =>
	['metrics.jsonl', 'adapter/adapter_model.safetensors', 'adapter/vulntune.json', 'adapter/ngram-stack.json']
		.concat('predictions.valid.jsonl', 'predictions.test.jsonl')
		.map((file) => readFileSync(path.join(output, file), 'base64'));

describe('a run whose head sees n-grams', () => {
	beforeAll(async () => {
		expect((await runFor(whole, Number.POSITIVE_INFINITY)).status).toBe('finished');
	});

	it('is told by its name beside the n-grams, and in its files', () => {
		const { rows } = JSON.parse(readFileSync(path.join(whole, 'comparison.json'), 'utf8'));
		expect(rows.map(({ name }: { name: string }) => name)).toEqual([
			'lora+ngram',
			'all-positive',
			'length',
			'ngram',
		]);
		expect(readFileSync(path.join(whole, 'report.html'), 'utf8')).toContain('on the n-grams&#39; score');
		expect(readFileSync(path.join(whole, 'README.md'), 'utf8')).toContain('no n-grams beside them');
	});

	it('gives the bytes of its predictions again, whatever stands beside a function', async () => {
		const functions = linesOf(path.join(data, 'test.jsonl')).map(({ code }) => code as string);
		const expected = linesOf(path.join(whole, 'predictions.test.jsonl')).map(
			({ probability }) => probability,
		);
		for (const place of [whole, path.join(whole, 'adapter')]) {
			const scorer = await openScorer(place, { overrides });
			expect(await Array.fromAsync(scorer.score(functions))).toEqual(expected);
			expect(await Array.fromAsync(scorer.score(functions.toReversed()))).toEqual(expected.toReversed());
			expect(await Array.fromAsync(scorer.score(functions.slice(2, 3)))).toEqual(expected.slice(2, 3));
			scorer.free();
		}
	});

	it('is evaluated beside the n-grams of the scored dataset, which are said to be others where they are', async () => {
		const evaluate = async (of: string | undefined, lines = false) => {
			const options = { data: of, split: 'test', precision: undefined, overrides, lines } as const;
			const notes: string[] = [];
			const found = await evaluateRun(
				whole,
				options,
				() => {},
				(line) => notes.push(line),
			);
			expect(notes).toEqual(expect.arrayContaining([...found.cautions]));
			return found;
		};
		expect((await evaluate(data)).cautions).toEqual([]);
		// functions are found beside their fixes by their names
		const file = path.join(others, 'test.jsonl');
		const named = linesOf(file).map((row) => `${JSON.stringify({ ...row, function_name: 'f' })}\n`);
		writeFileSync(file, named.join(''));
		const { cautions, lines } = await evaluate(others, true);
		expect(cautions.join()).toMatch(/^The n-grams in the table are fitted on the scored dataset's/);
		expect(lines?.linesLeaveOut).toBe('ngram');
	});

	it('goes on to the same bytes from where it was interrupted, while n-grams were fitted too', async () => {
		const output = path.join(root, 'interrupted');
		expect((await runFor(output, 0)).status).toBe('interrupted');
		expect(existsSync(output) ? filesOf(output) : []).toEqual([]);
		expect((await runFor(output, 2)).status).toBe('interrupted');
		const seen = path.join(output, 'adapter/ngram-stack.json');
		let isTested = false;
		const emit: Emit = (event) => void (isTested ||= event.type === 'scoring' && event.split === 'test');
		const untilTested = { emit, interrupted: () => isTested };
		const resumed = { resume: true, overwrite: false };
		expect((await runTraining(configOf(output), resumed, untilTested)).status).toBe('interrupted');
		// no epoch is left that would write them again
		rmSync(seen);
		expect((await runFor(output, Number.POSITIVE_INFINITY, true)).status).toBe('finished');
		expect(bytesOf(output)).toEqual(bytesOf(whole));
	});

	it('is what an adapter is taken from with what its head sees, and nothing else', async () => {
		const value = {
			...{ model, data: { path: data }, backend: testBackend, output: path.join(root, 'further') },
			method: { type: 'lora', base: 'fp32', from: whole },
			sequence: { length: 96, largeFunctions: 'truncate' },
			training: { epochs: 1, learningRate: 1e-30, warmupSteps: 0, precision: 'fp32' },
		};
		const place = { place: 'test', folder: '/' };
		const config = resolveConfig(value, place);
		expect(config.method.stack).toBe('ngram');
		const notes: string[] = [];
		const emit: Emit = (event) => void (event.type === 'note' && notes.push(event.line));
		expect((await runTraining(config, fresh, { emit, interrupted: () => false })).status).toBe('finished');
		expect(linesOf(path.join(config.output, 'predictions.test.jsonl'))).toEqual(
			linesOf(path.join(whole, 'predictions.test.jsonl')),
		);
		expect(notes.join()).not.toContain('n-grams that the head sees are');
		// n-grams of other rows are said to be others
		const onOthers = {
			...config,
			data: { ...config.data, path: others },
			output: path.join(root, 'on-others'),
		};
		const isSaid = () => notes.some((line) => line.includes('fitted anew on these training functions'));
		await runTraining(onOthers, fresh, { emit, interrupted: isSaid });
		expect(isSaid()).toBe(true);
		const without = { ...value, method: { ...value.method, stack: null } };
		expect(() => resolveConfig(without, place)).toThrow(/method\.stack: expected "ngram", as the adapter/);
	});
});

it.each([
	[{ method: { type: 'ngram', stack: 'ngram' } }, /method\.stack: has no effect with method\.type ngram/],
	[
		{ method: { type: 'lora', stack: 'ngram' }, objective: 'nextToken' },
		/method\.stack: has no effect with objective nextToken/,
	],
	[{ method: { type: 'head', stack: 'length' } }, /method\.stack: expected/],
])('is refused where there is no head to see n-grams, or nothing such to see: %o', (options, message) => {
	const value = { model, data: { path: data }, output: root, ...options };
	expect(() => resolveConfig(value, { place: 'test', folder: '/' })).toThrow(message);
});
