import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { resolveConfig } from '../config/load.ts';
import { runNgram } from './run-ngram.ts';

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
