import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder, writeTinyDataset } from '../../../../tests/tiny.ts';
import { resolveConfig } from '../config/load.ts';
import { planTraining } from './plan-training.ts';
import { renderPlan } from './render-plan.ts';

/** A model that is known by its shape alone, and no data: what a plan needs least. */
function plan(overrides: Readonly<Record<string, string>> = {}) {
	const value = {
		model: 'HuggingFaceTB/SmolLM2-135M',
		data: { path: 'nowhere' },
		method: { type: 'lora' },
		backend: 'reference',
		output: '/o',
	};
	return planTraining(resolveConfig(value, { place: 'test', folder: '/', overrides }));
}

it('counts what is trained: rank x (inputs + outputs) of every target, and the head', async () => {
	const { trainable, model, data } = await plan({ 'method.targets': '[q_proj]', 'method.rank': '4' });
	expect(model).toMatchObject({ source: 'published', layers: 30, hiddenSize: 576 });
	expect(trainable).toBe(30 * 4 * (576 + 576) + 2 * 576);
	expect(data).toEqual({ missing: '/nowhere' });
	const stacked = await plan({ 'method.targets': '[q_proj]', 'method.rank': '4', 'method.stack': 'ngram' });
	expect(stacked.trainable).toBe(trainable + 2);
});

it('reckons with all sequences that go through the model at once', async () => {
	const [one, four] = await Promise.all(
		['1', '4'].map((count) => plan({ 'sequence.length': '128', 'training.sequencesPerPass': count })),
	);
	expect(four!.memoryBytes.activations / one!.memoryBytes.activations).toBeGreaterThan(2);
});

it.each([
	[{ 'method.targets': '[no_such]' }, 'NO_LORA_TARGET'],
	[{ 'sequence.length': '20000' }, 'SEQUENCE_TOO_LONG'],
	[{ model: 'nobody/unheard-of' }, 'MODEL_NOT_FOUND'],
])('refuses what a run would refuse: %o', async (overrides, code) => {
	await expect(plan(overrides)).rejects.toMatchObject({ code });
});

it('estimates tokens of what the model will see: white space collapsed where the config says so', async () => {
	const folder = temporaryFolder();
	const row = (idx: number) => JSON.stringify({ idx, code: `f() {${' '.repeat(2000)}}`, target: idx % 2 });
	for (const split of ['train', 'valid', 'test']) {
		writeFileSync(path.join(folder, `${split}.jsonl`), `${row(0)}\n${row(1)}\n`);
	}
	const planned = await plan({ 'data.path': folder });
	expect(planned.data).toMatchObject({
		ignored: 0,
		tokens: 'estimated',
		summary: { sequenceLength: 512, splits: { test: { functions: 2, vulnerable: 1 } } },
	});
	expect(renderPlan(planned)).toMatch(/^valid +2 functions, 50.0 % vulnerable; tokens: median 2, /m);
	const kept = await plan({ 'data.path': folder, 'data.collapseWhitespace': 'false' });
	expect(kept.data).toMatchObject({ ignored: 2 });
	// copies of one text: nothing is left to fit n-grams on that have not seen them
	const stacked = plan({ 'data.path': folder, 'method.stack': 'ngram' });
	await expect(stacked).rejects.toMatchObject({ code: 'STACK_FOLDS' });
});

it('says what becomes of a warm-up that is as long as the run', async () => {
	const data = writeTinyDataset(path.join(temporaryFolder(), 'data'), { train: 4, valid: 2, test: 2 });
	const warmups = async (epochs: string) => {
		const planned = await plan({ 'data.path': data, 'training.epochs': epochs });
		const text = renderPlan(planned);
		return 'missing' in planned.data ? undefined : { ...planned.data, text };
	};
	const note = 'training.warmupSteps 2 is shortened to 0: the run has 1 optimiser steps in all';
	const short = await warmups('1');
	expect(short).toMatchObject({ steps: 1, warmup: note });
	expect(short?.text).toContain(note);
	expect(await warmups('3')).toMatchObject({ steps: 3, warmup: null });
});

it('counts what is kept of a frozen base once, however many epochs there are', async () => {
	const data = writeTinyDataset(path.join(temporaryFolder(), 'data'), { train: 4, valid: 2, test: 2 });
	const operationsOf = async (epochs: number, overrides: Readonly<Record<string, string>>) => {
		const common = {
			'data.path': data,
			'training.epochs': String(epochs),
			'training.checkpointing': 'false',
		};
		return (await plan({ ...common, ...overrides })).operations!;
	};
	const growth = async (overrides: Readonly<Record<string, string>>) =>
		(await operationsOf(20, overrides)) / (await operationsOf(1, overrides));
	expect(await growth({})).toBeCloseTo(20, 6);
	expect(await growth({ 'method.type': 'head' })).toBeLessThan(1.1);
	expect(await growth({ 'method.type': 'head', 'sequence.packing': 'leaky' })).toBeCloseTo(20, 6);
	const [upper, leaky] = ['isolated', 'leaky'].map((packing) => ({
		...{ 'method.layersToTransform': '[15, 29]', 'sequence.packing': packing },
	}));
	// blocks 15 to 29 of 30 each epoch, those below once
	expect(await operationsOf(20, upper!)).toBeCloseTo(
		(await operationsOf(1, upper!)) + (19 / 2) * (await operationsOf(1, {})),
		-3,
	);
	expect(await growth(leaky!)).toBeCloseTo(20, 6);
	// nothing is computed backwards below the lowest adapter
	expect(await operationsOf(1, upper!)).toBeLessThan(await operationsOf(1, {}));
	const planned = await plan({ 'data.path': data, 'method.type': 'head', 'training.epochs': '20' });
	const seconds = { firstEpoch: 360, epoch: 0.4, total: 368 };
	expect(renderPlan({ ...planned, seconds })).toMatch(
		/^time +about 6 min 0 s the first epoch, <1 s a further one, 6 min 8 s in all$/m,
	);
	expect(renderPlan({ ...planned, seconds: { ...seconds, total: 360 } })).toMatch(
		/^time +about 6 min 0 s an epoch, 6 min 0 s in all$/m,
	);
});

it('says where model and data come from, what takes more than a week, and what memory is not there', async () => {
	const planned = await plan();
	const comment = ['Model: somewhere', 'Data: elsewhere'];
	expect(renderPlan(planned, comment)).toMatch(
		/\n\nThe config says:\n {2}Model: somewhere\n {2}Data: elsewhere$/,
	);
	expect(renderPlan({ ...planned, availableBytes: 2 ** 20 }, comment)).toContain(
		'more than this machine has (1.0 MiB)',
	);
	expect(renderPlan(planned, comment)).not.toContain('more than');
	const month = {
		seconds: { firstEpoch: 86_400, epoch: 86_400, total: 30 * 86_400 },
		operations: 604_800e12 * 2.5,
	};
	expect(renderPlan({ ...planned, ...month })).toContain(
		'more than a week on this machine: for a week it takes 2.5 Tflop/s',
	);
});
