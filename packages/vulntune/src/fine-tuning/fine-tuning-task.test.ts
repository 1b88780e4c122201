import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import type { PackingOptions } from '../packing/options.ts';
import type { TrainingRecord } from '../run/records.ts';
import type { SplitData } from '../scoring/split-data.ts';
import {
	functionsOf,
	type Script,
	scriptedDetector,
	scriptedScoring,
} from '../scoring/testing/scripted-detector.ts';
import { createOptimizer } from '../training/optimizer.ts';
import { initialState } from '../training/state.ts';
import { train } from '../training/trainer.ts';
import { settingsOf } from './describe-run.ts';
import { countSteps, type FineTuningSettings, fineTuningTask } from './fine-tuning-task.ts';
import type { TrainingEvent } from './run-events.ts';
import { runTraining } from './run-training.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-loop-'));
afterAll(() => rmSync(root, { recursive: true }));
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 2, test: 2 });

it('says so where --resume finds nothing to go on with', async () => {
	const output = path.join(root, 'new');
	mkdirSync(output);
	const notes: string[] = [];
	const emit = (event: TrainingEvent) => void (event.type === 'note' && notes.push(event.line));
	const config = tinyConfig({ model, data, output }, { 'training.epochs': '1' });
	await runTraining(config, { resume: true, overwrite: false }, { emit, interrupted: () => false });
	expect(notes.join('\n')).toContain(`no checkpoint in ${output}: the run starts anew`);
});

it('announces the baselines at its end, where it can be interrupted and goes on', async () => {
	const output = path.join(root, 'baselines');
	const config = tinyConfig(
		{ model, data, output },
		{ 'training.epochs': '1', 'method.targets': '[q_proj]' },
	);
	let isFitting = false;
	const emit = (event: TrainingEvent) => {
		if (event.type === 'note' && event.line.includes('fitting the baselines')) isFitting = true;
	};
	const run = (resume: boolean, interrupted: () => boolean) =>
		runTraining(config, { resume, overwrite: false }, { emit, interrupted });
	expect((await run(false, () => isFitting)).status).toBe('interrupted');
	expect(isFitting).toBe(true);
	const outcome = await run(true, () => false);
	expect(outcome).toMatchObject({
		status: 'finished',
		summary: { record: { training: { functions: 4, ignored: 0 } } },
	});
});

it.each([
	// fresh adapters leave the loss as it is, but their gradients times their scale are beyond float32
	[
		/the gradient is no longer a number in epoch 1, step 1/,
		'LOSS_NOT_FINITE',
		{ 'method.alpha': '1e37', 'loss.classWeights': '[1e6, 1e6]' },
	],
	[
		/the score of function \S+ is NaN/,
		'SCORE_NOT_FINITE',
		{ 'method.alpha': '1e38', 'training.warmupSteps': '0' },
	],
])('stops where %s', async (message, code, overrides) => {
	const output = path.join(root, code);
	const config = tinyConfig({ model, data, output }, { 'training.accumulation': '9', ...overrides });
	const run = runTraining(
		config,
		{ resume: false, overwrite: false },
		{ emit: () => {}, interrupted: () => false },
	);
	await expect(run).rejects.toThrow(message);
	await expect(run).rejects.toMatchObject({ code, kind: 'runtime' });
	// parameters that a broken gradient went into are not kept
	expect(existsSync(path.join(output, 'checkpoints'))).toBe(code !== 'LOSS_NOT_FINITE');
	expect(existsSync(path.join(output, 'adapter'))).toBe(false);
});

/** Trains a scripted detector; what it records. */
async function trainScripted(
	data: { readonly train: SplitData; readonly valid: SplitData },
	changes: Partial<FineTuningSettings> = {},
	{ script, packing }: { readonly script?: Script; readonly packing?: Partial<PackingOptions> } = {},
) {
	const { detector, objective, dropoutSeeds } = scriptedDetector(script);
	const settings: FineTuningSettings = {
		epochs: 1,
		accumulation: 1,
		schedule: { schedule: 'constant', learningRate: 0.1, warmupSteps: 0 },
		optimizer: { weightDecay: 0, clipNorm: null },
		reduction: 'sum',
		seed: 1,
		earlyStopping: null,
		checkpointEverySteps: null,
		...changes,
	};
	const optimizer = createOptimizer(detector.backend, detector.parameters, settings.optimizer);
	const records: TrainingRecord[] = [];
	const best: number[] = [];
	const state = initialState();
	const listener = {
		progress: () => {},
		record: (record: TrainingRecord) => void records.push(record),
		validating: () => {},
		bestEpoch: ({ epoch }: { epoch: number }) => void best.push(epoch),
		checkpoint: () => {},
		interrupted: () => false,
	};
	const scoring = scriptedScoring(objective, packing);
	const task = fineTuningTask(detector, data, settings, scoring, listener);
	const schedule = { ...settings.schedule, totalSteps: countSteps(data.train, settings, scoring) };
	await train(task, optimizer, { ...settings, schedule }, state, listener);
	const steps = records.filter((record) => record.type === 'step');
	return { records, steps, best, state, dropoutSeeds };
}

const both = functionsOf([1, 1, 1], [0, 1, 0]);

it('never drops the same twice, though the number of packs differs by epoch', async () => {
	const lengths = Array.from({ length: 24 }, (_, i) => 1 + ((i * 5) % 8));
	const train = functionsOf(
		lengths,
		lengths.map((_, i) => i % 2),
	);
	const { dropoutSeeds, steps } = await trainScripted(
		{ train, valid: both },
		{ epochs: 6 },
		{ packing: { order: 'arrival' } },
	);
	const packs = Array.from({ length: 6 }, (_, e) => steps.filter(({ epoch }) => epoch === e + 1).length);
	expect(new Set(packs).size).toBeGreaterThan(1);
	expect(new Set(dropoutSeeds).size).toBe(dropoutSeeds.length);
	expect(dropoutSeeds).toHaveLength(steps.length);
});

it('takes the sum or the mean over the functions of a sequence', async () => {
	const train = functionsOf([1, 1, 1, 1], [1, 1, 0, 1]);
	const { steps: sums } = await trainScripted({ train, valid: both });
	const { steps: means } = await trainScripted({ train, valid: both }, { reduction: 'mean' });
	const [[sum], [mean]] = [sums, means];
	expect(sum!.loss).toBeCloseTo(4 * Math.LN2, 5);
	expect(mean!.loss).toBeCloseTo(Math.LN2, 5);
	expect(sum!.gradNorm).toBeCloseTo(Math.SQRT2, 5);
	expect(mean!.gradNorm).toBeCloseTo(Math.SQRT2 / 4, 5);
});

it('takes the mean of the sequences of a step, fewer in the last one', async () => {
	const train = functionsOf([8, 8, 8], [1, 1, 1]);
	const { steps } = await trainScripted({ train, valid: both }, { accumulation: 2 });
	expect(steps).toHaveLength(2);
	expect(steps[0]).toMatchObject({ step: 1, tokens: 18 });
	expect(steps[1]).toMatchObject({ step: 2, tokens: 9 });
	expect(steps[0]!.loss).toBeCloseTo(Math.LN2, 5);
	expect(steps[0]!.gradNorm).toBeCloseTo(Math.SQRT1_2, 5);
});

it.each(['sum', 'mean'] as const)(
	'gives the same step of several sequences in a pass: the %s over functions',
	async (reduction) => {
		const train = functionsOf([8, 3, 3, 1, 2, 1, 5], [1, 1, 0, 1, 0, 0, 1]);
		const [one, two, all] = await Promise.all(
			[1, 2, 4].map((sequencesPerPass) =>
				trainScripted({ train, valid: both }, { accumulation: 4, reduction, sequencesPerPass }),
			),
		);
		expect(one!.dropoutSeeds.length).toBeGreaterThan(2);
		expect(two!.dropoutSeeds).toHaveLength(Math.ceil(one!.dropoutSeeds.length / 2));
		expect(all!.dropoutSeeds.length).toBeLessThan(two!.dropoutSeeds.length);
		for (const { dropoutSeeds } of [one!, two!, all!]) {
			expect(new Set(dropoutSeeds).size).toBe(dropoutSeeds.length);
		}
		for (const { steps } of [two!, all!]) {
			for (const [i, { loss, gradNorm, tokens }] of steps.entries()) {
				const expected = one!.steps[i]!;
				expect(tokens).toBe(expected.tokens);
				expect(loss).toBeCloseTo(expected.loss, 5);
				expect(gradNorm).toBeCloseTo(expected.gradNorm, 5);
			}
		}
	},
);

describe('the best epoch', () => {
	/** Validation probabilities [functions] by epoch. */
	const scripted = (epochs: readonly (readonly number[])[], changes: Partial<FineTuningSettings> = {}) =>
		trainScripted(
			{ train: both, valid: both },
			{ epochs: epochs.length, ...changes },
			{ script: ({ functionIndex, pass }) => epochs[pass]![functionIndex]! },
		);
	const right = [0.25, 0.75, 0.5];
	const half = [0.25, 0.5, 0.75];
	const wrong = [0.75, 0.25, 0.5];

	it('is the one with the largest ROC AUC on validation, the earlier of equals', async () => {
		const { best, state } = await scripted([half, right, wrong, right]);
		expect(best).toEqual([1, 2]);
		expect(state.best).toMatchObject({ epoch: 2, rocAuc: 1, threshold: 0.75 });
	});

	it('is the one with the lowest loss where validation has one class', async () => {
		const valid = functionsOf([3, 3], [1, 1]);
		// two logits learn that everything is vulnerable: the loss falls
		const { best, state, records } = await trainScripted(
			{ train: functionsOf([3, 3], [1, 1]), valid },
			{ epochs: 3 },
		);
		expect(best).toEqual([1, 2, 3]);
		expect(state.best).toMatchObject({ epoch: 3, rocAuc: null, threshold: null });
		expect(records.at(-1)).toMatchObject({ validation: { rocAuc: null, f1: null, threshold: null } });
	});

	it('ends the training once there was no better one for long enough', async () => {
		const { records } = await scripted([right, half, wrong, right], { earlyStopping: 2 });
		expect(records.filter(({ type }) => type === 'epoch')).toHaveLength(3);
	});

	it('gives training its whole patience back', async () => {
		const epochs = [half, wrong, right, wrong, half, right];
		const { records } = await scripted(epochs, { earlyStopping: 2 });
		expect(records.filter(({ type }) => type === 'epoch')).toHaveLength(5);
	});
});

it('passes on every setting of the config', () => {
	const config = tinyConfig(
		{ model, data, output: 'none' },
		{
			...{ 'training.epochs': '7', 'training.accumulation': '5', 'training.schedule': 'linear' },
			...{ 'training.learningRate': '0.25', 'training.warmupSteps': '3', 'training.weightDecay': '0.125' },
			...{ 'training.clipNorm': '0.75', 'loss.reduction': 'mean', 'training.seed': '11' },
			...{ 'training.earlyStopping': '4', 'training.checkpointEverySteps': '9' },
			...{ 'training.sequencesPerPass': '3', 'training.optimizer': 'adamw8bit' },
		},
	);
	expect(settingsOf(config)).toEqual({
		epochs: 7,
		accumulation: 5,
		sequencesPerPass: 3,
		schedule: { schedule: 'linear', learningRate: 0.25, warmupSteps: 3 },
		optimizer: { name: 'adamw8bit', weightDecay: 0.125, clipNorm: 0.75 },
		reduction: 'mean',
		seed: 11,
		earlyStopping: 4,
		checkpointEverySteps: 9,
	});
});

it('says so where the warm-up is as long as the run, and learns all the same', async () => {
	const output = path.join(root, 'short');
	const notes: string[] = [];
	const rates: number[] = [];
	const emit = (event: TrainingEvent) => {
		if (event.type === 'note') notes.push(event.line);
		if (event.type === 'record' && event.record.type === 'step') rates.push(event.record.learningRate);
	};
	const config = tinyConfig(
		{ model, data, output },
		{ 'training.epochs': '1', 'training.accumulation': '9', 'method.targets': '[q_proj]' },
	);
	await runTraining(config, { resume: false, overwrite: false }, { emit, interrupted: () => false });
	expect(notes).toContain('training.warmupSteps 2 is shortened to 0: the run has 1 optimiser steps in all');
	expect(rates).toEqual([0.01]);
});

it('packs a function and its fix together where it learns from pairs', async () => {
	const alone = functionsOf([6, 2, 5, 3], [1, 1, 0, 0]);
	const partnerOf = Int32Array.of(2, -1, 0, -1);
	const train = { ...alone, pairs: { kind: 'rank', weight: 1, rows: [[0, 2]], partnerOf } } as const;
	const tokensOf = async (rows: SplitData) =>
		(await trainScripted({ train: rows, valid: both }, { accumulation: 1 })).steps
			.map(({ tokens }) => tokens)
			.toSorted((a, b) => a - b);
	expect(await tokensOf(alone)).toEqual([10, 10]);
	expect(await tokensOf(train)).toEqual([7, 13]);
});
