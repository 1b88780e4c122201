import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writeTinyDataset } from '../../../../tests/tiny.ts';
import { resolveConfig } from '../config/load.ts';
import { runNgram } from './run-ngram.ts';
import type { TrainingEvent } from './run-training.ts';

it('does not resume over a run of another method', async () => {
	const output = mkdtempSync(path.join(os.tmpdir(), 'vulntune-ngram-'));
	onTestFinished(() => rmSync(output, { recursive: true }));
	const checkpoint = path.join(output, 'checkpoints', 'step-1');
	mkdirSync(checkpoint, { recursive: true });
	const value = { model: 'none', data: { path: 'none' }, method: { type: 'ngram' }, output };
	const config = resolveConfig(value, { place: 'test', folder: '/' });
	const signals = { emit: () => {}, interrupted: () => false };
	const run = runNgram(config, { resume: true, overwrite: false }, signals);
	await expect(run).rejects.toMatchObject({ code: 'CHECKPOINT_OTHER_RUN', place: output });
	expect(existsSync(checkpoint)).toBe(true);
});

it('says what it does before it takes its time', async () => {
	const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-ngram-'));
	onTestFinished(() => rmSync(root, { recursive: true }));
	const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 2, test: 2 });
	const value = { model: 'none', data: { path: data }, method: { type: 'ngram' } };
	const config = resolveConfig({ ...value, output: path.join(root, 'run') }, { place: 'test', folder: '/' });
	const notes: string[] = [];
	const emit = (event: TrainingEvent) => void (event.type === 'note' && notes.push(event.line));
	await runNgram(config, { resume: false, overwrite: false }, { emit, interrupted: () => false });
	expect(notes).toEqual(['fitting n-grams of 4 functions', 'comparing with baselines']);
});
