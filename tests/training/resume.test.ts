import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runTraining } from 'vulntune';
import { temporaryFolder, testBackend, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'));
const fresh = { resume: false, overwrite: true };
const again = { resume: true, overwrite: false };
const results = [
	'metrics.jsonl',
	'adapter/adapter_model.safetensors',
	'adapter/vulntune.json',
	'predictions.valid.jsonl',
	'predictions.test.jsonl',
];

function bytesOf(output: string): string[] {
	return results.map((file) => readFileSync(path.join(output, file), 'base64'));
}

/** Runs until `packs` packs have been trained, then interrupts. */
async function runFor(
	output: string,
	packs: number,
	mode: typeof fresh,
	overrides: Readonly<Record<string, string>> = {},
) {
	let seen = 0;
	return runTraining(tinyConfig({ model, data, output }, overrides), mode, {
		emit: (event) => {
			if (event.type === 'training') seen += 1;
		},
		interrupted: () => seen >= packs,
	});
}

const whole = path.join(root, 'whole');

beforeAll(async () => {
	const outcome = await runFor(whole, Number.POSITIVE_INFINITY, fresh);
	expect(outcome.status).toBe('finished');
});

describe('a training run', () => {
	it('gives the same bytes a second time', async () => {
		const output = path.join(root, 'second');
		await runFor(output, Number.POSITIVE_INFINITY, fresh);
		expect(bytesOf(output)).toEqual(bytesOf(whole));
	});

	it('gives other bytes with another seed', async () => {
		const output = path.join(root, 'seed');
		await runTraining(tinyConfig({ model, data, output }, { 'training.seed': '2' }), fresh, {
			emit: () => {},
			interrupted: () => false,
		});
		expect(bytesOf(output)[0]).not.toBe(bytesOf(whole)[0]);
	});

	it('goes on to the same bytes from wherever it was interrupted', async () => {
		const output = path.join(root, 'interrupted');
		let outcome = await runFor(output, 1, fresh);
		for (let turns = 0; outcome.status === 'interrupted'; turns++) {
			expect(turns).toBeLessThan(100);
			// one pack, then two: some stops fall between the packs of one step
			outcome = await runFor(output, 1 + (turns % 2), again);
		}
		expect(outcome.status).toBe('finished');
		expect(bytesOf(output)).toEqual(bytesOf(whole));
	});

	it('does so with shared prefixes, as they arrive', async () => {
		const sharing = {
			...{ 'sequence.sharePrefixes': 'true', 'sequence.order': 'arrival' },
			...{ 'backend.type': testBackend, 'training.epochs': '1' },
		};
		const [once, output] = [path.join(root, 'shared'), path.join(root, 'shared-interrupted')];
		const outcome = await runFor(once, Number.POSITIVE_INFINITY, fresh, sharing);
		if (outcome.status !== 'finished') throw new Error(outcome.status);
		expect(outcome.summary.record.training?.sharedTokens).toBeGreaterThan(100);
		expect((await runFor(output, 2, fresh, sharing)).status).toBe('interrupted');
		expect((await runFor(output, Number.POSITIVE_INFINITY, again, sharing)).status).toBe('finished');
		expect(bytesOf(output)).toEqual(bytesOf(once));
	});

	it('passes over a damaged checkpoint and uses the one before', async () => {
		const output = path.join(root, 'damaged');
		await runFor(output, 5, fresh);
		const checkpoints = path.join(output, 'checkpoints');
		const newest = readdirSync(checkpoints).sort().at(-1)!;
		for (const [file, damage] of [
			['parameters.f32', (name: string) => truncateSync(name, 100)],
			[
				'state.json',
				(name: string) => writeFileSync(name, readFileSync(name, 'utf8').replace('"step"', '"stop"')),
			],
			['manifest.json', (name: string) => rmSync(name)],
		] as const) {
			const copy = path.join(root, `damaged-${file}`);
			cpSync(output, copy, { recursive: true });
			damage(path.join(copy, 'checkpoints', newest, file));
			const notes: string[] = [];
			const outcome = await runTraining(tinyConfig({ model, data, output: copy }), again, {
				emit: (event) => {
					if (event.type === 'note') notes.push(event.line);
				},
				interrupted: () => false,
			});
			expect(outcome.status).toBe('finished');
			expect(notes.join()).toContain(newest);
			expect(bytesOf(copy)).toEqual(bytesOf(whole));
		}
	});

	it('leaves a finished run as it is', async () => {
		const before = bytesOf(whole);
		expect((await runFor(whole, 99, again)).status).toBe('alreadyFinished');
		expect(bytesOf(whole)).toEqual(before);
	});

	it('refuses a folder that holds a run, and a checkpoint of another one', async () => {
		const signals = { emit: () => {}, interrupted: () => false };
		const neither = { resume: false, overwrite: false };
		await expect(runTraining(tinyConfig({ model, data, output: whole }), neither, signals)).rejects.toThrow(
			/--resume/,
		);
		const output = path.join(root, 'other');
		await runFor(output, 2, fresh);
		const other = tinyConfig({ model, data, output }, { 'training.learningRate': '0.02' });
		await expect(runTraining(other, again, signals)).rejects.toThrow(/another configuration/);
	});

	it('learns what can be told from the text', () => {
		const records = readFileSync(path.join(whole, 'metrics.jsonl'), 'utf8').trim().split('\n');
		const end = JSON.parse(records.at(-1)!);
		expect(end.type).toBe('end');
		expect(end.test.rocAuc.value).toBeGreaterThan(0.8);
		expect(existsSync(path.join(whole, 'checkpoints'))).toBe(true);
	});
});
