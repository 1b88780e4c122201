import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { learningRateAt, runTraining } from 'vulntune';
import { filesOf } from '../files.ts';
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

/** On the kernels of the machine: what is tested happens above them. */
function configOf(output: string, overrides: Readonly<Record<string, string>> = {}) {
	return tinyConfig({ model, data, output }, { 'backend.type': testBackend, ...overrides });
}

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
	return runTraining(configOf(output, overrides), mode, {
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
		await runTraining(configOf(output, { 'training.seed': '2' }), fresh, {
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
			'training.epochs': '1',
		};
		const [once, output] = [path.join(root, 'shared'), path.join(root, 'shared-interrupted')];
		const outcome = await runFor(once, Number.POSITIVE_INFINITY, fresh, sharing);
		if (outcome.status !== 'finished') throw new Error(outcome.status);
		expect(outcome.summary.record.training?.sharedTokens).toBeGreaterThan(100);
		expect((await runFor(output, 2, fresh, sharing)).status).toBe('interrupted');
		expect((await runFor(output, Number.POSITIVE_INFINITY, again, sharing)).status).toBe('finished');
		expect(bytesOf(output)).toEqual(bytesOf(once));
	});

	it('is not finished without what its best epoch wrote', async () => {
		const output = path.join(root, 'lost');
		let isTested = false;
		const outcome = await runTraining(configOf(output), fresh, {
			emit: (event) => void (isTested ||= event.type === 'scoring' && event.split === 'test'),
			interrupted: () => isTested,
		});
		expect(outcome.status).toBe('interrupted');
		for (const name of ['adapter/vulntune.json', 'predictions.valid.jsonl']) {
			const file = path.join(output, name);
			const text = readFileSync(file);
			rmSync(file);
			const resumed = runFor(output, Number.POSITIVE_INFINITY, again);
			await expect(resumed).rejects.toMatchObject({ code: 'RUN_FILE', place: file });
			writeFileSync(file, text);
		}
		expect((await runFor(output, Number.POSITIVE_INFINITY, again)).status).toBe('finished');
		expect(bytesOf(output)).toEqual(bytesOf(whole));
	});

	it.skipIf(testBackend !== 'cpu')('goes on with the instruction set that it began with', async () => {
		const output = path.join(root, 'other-set');
		const open = { 'backend.type': 'auto' };
		await runFor(output, 1, fresh, open);
		const file = path.join(output, 'environment.json');
		const environment = () => JSON.parse(readFileSync(file, 'utf8'));
		const made = (isa: string) =>
			writeFileSync(file, JSON.stringify({ ...environment(), hardware: { isa } }));
		const own = environment().hardware.isa;
		made('generic');
		await runFor(output, 1, again, open);
		expect(environment()).toMatchObject({ hardware: { isa: 'generic' } });
		await runFor(output, 1, again, { ...open, 'backend.isa': own });
		expect(environment().hardware).toEqual({ isa: own });
		made('sse9');
		const notes: string[] = [];
		await runTraining(configOf(output, open), again, {
			emit: (event) => {
				if (event.type === 'note') notes.push(event.line);
			},
			interrupted: () => true,
		});
		expect(environment().hardware.isa).toBe(own);
		expect(notes.join()).toContain('no instruction set sse9): it goes on with cpu');
	});

	it('gives the same bytes with checkpointing, and goes on from one to the other', async () => {
		const output = path.join(root, 'checkpointing');
		const least = { 'training.checkpointing': 'true' };
		expect((await runFor(output, 3, fresh, least)).status).toBe('interrupted');
		await runFor(output, Number.POSITIVE_INFINITY, again);
		expect(bytesOf(output)).toEqual(bytesOf(whole));
		await runFor(output, Number.POSITIVE_INFINITY, fresh, least);
		expect(bytesOf(output)).toEqual(bytesOf(whole));
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
			const outcome = await runTraining(configOf(copy), again, {
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

	it('stops where no checkpoint is whole, and changes nothing', async () => {
		const output = path.join(root, 'all-damaged');
		await runFor(output, 5, fresh);
		const checkpoints = path.join(output, 'checkpoints');
		for (const name of readdirSync(checkpoints)) {
			truncateSync(path.join(checkpoints, name, 'parameters.f32'), 100);
		}
		const before = filesOf(output);
		await expect(runFor(output, 99, again)).rejects.toMatchObject({
			...{ code: 'CHECKPOINT_DAMAGED', place: checkpoints },
			remedy: expect.stringContaining('--overwrite'),
		});
		expect(filesOf(output)).toEqual(before);
	});

	it('leaves a finished run as it is', async () => {
		const before = bytesOf(whole);
		expect((await runFor(whole, 99, again)).status).toBe('alreadyFinished');
		expect(bytesOf(whole)).toEqual(before);
	});

	it('refuses a folder that holds a run, and a checkpoint of another one', async () => {
		const signals = { emit: () => {}, interrupted: () => false };
		const neither = { resume: false, overwrite: false };
		await expect(runTraining(configOf(whole), neither, signals)).rejects.toThrow(/--resume/);
		const output = path.join(root, 'other');
		await runFor(output, 2, fresh);
		const other = configOf(output, { 'training.learningRate': '0.02' });
		await expect(runTraining(other, again, signals)).rejects.toThrow(
			/training\.learningRate: 0\.01, not 0\.02/,
		);
	});

	describe('that is finished and asked for more epochs', () => {
		const longer = { 'training.epochs': '4' };
		const extended = path.join(root, 'extended');
		const copyTo = (name: string) => {
			const output = path.join(root, name);
			cpSync(whole, output, { recursive: true });
			return output;
		};
		const recordsOf = (output: string) =>
			readFileSync(path.join(output, 'metrics.jsonl'), 'utf8')
				.trimEnd()
				.split('\n')
				.map((line) => JSON.parse(line));

		beforeAll(async () => {
			copyTo('extended');
			expect((await runFor(extended, Number.POSITIVE_INFINITY, again, longer)).status).toBe('finished');
		});

		it('keeps what it has, and adds epochs with the schedule from its start', () => {
			const [before, after] = [recordsOf(whole).slice(0, -1), recordsOf(extended)];
			expect(after.slice(0, before.length)).toEqual(before);
			const [line, ...added] = after.slice(before.length);
			const step = before.findLast(({ type }) => type === 'step').step;
			expect(line).toEqual({ type: 'extension', epoch: 3, epochs: 4, step, schedule: 'cosine' });
			expect(added.filter(({ type }) => type === 'epoch').map(({ epoch }) => epoch)).toEqual([3, 4]);
			expect(added.at(-1).type).toBe('end');
			expect(after.filter(({ type }) => type === 'end')).toHaveLength(1);
			const steps = added.filter(({ type }) => type === 'step');
			expect(steps[0].step).toBe(step + 1);
			const options = {
				schedule: 'cosine',
				learningRate: 0.01,
				warmupSteps: 2,
				totalSteps: steps.length,
			} as const;
			for (const [i, { learningRate }] of steps.entries()) {
				expect(learningRate).toBe(learningRateAt(i + 1, options));
			}
			expect(readFileSync(path.join(extended, 'config.yaml'), 'utf8')).toContain('epochs: 4');
		});

		it('comes to the same bytes from wherever it was interrupted, or killed before its first checkpoint', async () => {
			const output = copyTo('extended-interrupted');
			// as a kill after the config was written leaves it
			const config = path.join(output, 'config.yaml');
			writeFileSync(config, readFileSync(config, 'utf8').replace('epochs: 2', 'epochs: 4'));
			const killed = runTraining(configOf(output, longer), again, {
				emit: (event) => {
					// its logs are cut then, and no checkpoint is written since
					if (event.type === 'record') throw new Error('killed');
				},
				interrupted: () => false,
			});
			await expect(killed).rejects.toThrow('killed');
			let outcome = await runFor(output, 0, again, longer);
			for (let turns = 0; outcome.status === 'interrupted'; turns++) {
				expect(turns).toBeLessThan(100);
				outcome = await runFor(output, 1 + (turns % 3), again, longer);
			}
			expect(bytesOf(output)).toEqual(bytesOf(extended));
			expect((await runFor(output, 99, again, longer)).status).toBe('alreadyFinished');
		});

		it('goes on from its last epoch, not from the best', async () => {
			const [last, finished] = readdirSync(path.join(extended, 'checkpoints')).sort();
			const parameters = (name: string) =>
				readFileSync(path.join(extended, 'checkpoints', name, 'parameters.f32'), 'base64');
			expect(recordsOf(extended).at(-1).bestEpoch).toBeLessThan(4);
			expect(parameters(finished!)).toBe(parameters(last!));
		});

		it('is refused with fewer epochs, and where it is not finished', async () => {
			const fewer = runFor(extended, 99, again, { 'training.epochs': '3' });
			await expect(fewer).rejects.toMatchObject({ code: 'CHECKPOINT_OTHER_RUN' });
			const output = path.join(root, 'unfinished');
			await runFor(output, 2, fresh);
			await expect(runFor(output, 99, again, longer)).rejects.toThrow(/not finished/);
		});
	});

	it('learns what can be told from the text', () => {
		const records = readFileSync(path.join(whole, 'metrics.jsonl'), 'utf8').trim().split('\n');
		const end = JSON.parse(records.at(-1)!);
		expect(end.type).toBe('end');
		expect(end.test.rocAuc.value).toBeGreaterThan(0.8);
		expect(existsSync(path.join(whole, 'checkpoints'))).toBe(true);
	});
});
