import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writeTinyDataset } from '../../../../tests/tiny.ts';
import { resolveConfig } from '../config/load.ts';
import type { TrainingEvent } from './run-events.ts';
import { runNgram } from './run-ngram.ts';

it('does not resume over a run of another method', async () => {
	const output = mkdtempSync(path.join(os.tmpdir(), 'vulntune-ngram-'));
	onTestFinished(() => rmSync(output, { recursive: true }));
	const checkpoint = path.join(output, 'checkpoints', 'step-1');
	mkdirSync(checkpoint, { recursive: true });
	writeFileSync(path.join(output, 'environment.json'), '{"vulntune": "0.1.0"}');
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
	expect(notes).toEqual([
		expect.stringContaining('not apart'),
		'fitting n-grams of 4 functions',
		'comparing with baselines',
	]);
});

it('ends where it is interrupted, is made anew, and keeps its times', async () => {
	const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-ngram-'));
	onTestFinished(() => rmSync(root, { recursive: true }));
	const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 2, test: 2 });
	const output = path.join(root, 'run');
	const value = { model: 'none', data: { path: data }, method: { type: 'ngram' }, output };
	const config = resolveConfig(value, { place: 'test', folder: '/' });
	const run = (resume: boolean, line: string | undefined) => {
		let isInterrupted = false;
		const emit = (event: TrainingEvent) => {
			if (event.type === 'note' && line !== undefined && event.line.startsWith(line)) isInterrupted = true;
		};
		const signals = { emit, interrupted: () => isInterrupted };
		return runNgram(config, { resume, overwrite: false }, signals);
	};
	const interrupted = { status: 'interrupted', output, startsAnew: true };
	expect(await run(false, 'fitting n-grams')).toEqual(interrupted);
	expect(existsSync(path.join(output, 'config.yaml'))).toBe(true);
	expect(existsSync(path.join(output, 'adapter'))).toBe(false);
	expect(await run(true, 'comparing')).toEqual(interrupted);
	expect(existsSync(path.join(output, 'metrics.jsonl'))).toBe(false);
	expect((await run(true, undefined)).status).toBe('finished');
	const timings = readFileSync(path.join(output, 'timings.jsonl'), 'utf8').trim().split('\n');
	expect(timings.map((line) => JSON.parse(line))).toEqual([
		{ type: 'start', seconds: expect.any(Number), residentBytes: expect.any(Number) },
		{
			...{ type: 'epoch', epoch: 1, seconds: expect.any(Number) },
			...{ residentBytes: expect.any(Number), totalSeconds: expect.any(Number) },
		},
	]);
	expect((await run(true, undefined)).status).toBe('alreadyFinished');
});

it('keeps the run in its folder where the rows have one class only', async () => {
	const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-ngram-'));
	onTestFinished(() => rmSync(root, { recursive: true }));
	const data = writeTinyDataset(path.join(root, 'data'), { train: 1, valid: 2, test: 2 });
	const output = path.join(root, 'run');
	mkdirSync(output);
	writeFileSync(path.join(output, 'environment.json'), '{"vulntune": "0.1.0"}');
	writeFileSync(path.join(output, 'metrics.jsonl'), 'kept');
	const value = { model: 'none', data: { path: data }, method: { type: 'ngram' }, output };
	const config = resolveConfig(value, { place: 'test', folder: '/' });
	const signals = { emit: () => {}, interrupted: () => false };
	const run = runNgram(config, { resume: false, overwrite: true }, signals);
	await expect(run).rejects.toMatchObject({ code: 'TRAIN_ONE_CLASS' });
	expect(readFileSync(path.join(output, 'metrics.jsonl'), 'utf8')).toBe('kept');
});
