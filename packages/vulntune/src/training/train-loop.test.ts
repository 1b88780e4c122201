import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { runTraining, type TrainingEvent } from './run-training.ts';

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
	['the gradient is', { 'method.alpha': '1e37', 'loss.classWeights': '[1e6, 1e6]' }],
	['the validation loss is', { 'method.alpha': '1e38', 'training.warmupSteps': '0' }],
])('stops where %s no longer a number', async (what, overrides) => {
	const output = path.join(root, what.replaceAll(' ', '-'));
	const config = tinyConfig({ model, data, output }, { 'training.accumulation': '9', ...overrides });
	const run = runTraining(
		config,
		{ resume: false, overwrite: false },
		{ emit: () => {}, interrupted: () => false },
	);
	await expect(run).rejects.toThrow(`${what} no longer a number in epoch 1, step 1`);
	await expect(run).rejects.toMatchObject({ code: 'LOSS_NOT_FINITE', kind: 'runtime' });
	// parameters that a broken gradient went into are not kept
	if (what === 'the gradient is') expect(existsSync(path.join(output, 'checkpoints'))).toBe(false);
});
