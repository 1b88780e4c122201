import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writeTinyDataset } from '../../../../tests/tiny.ts';
import { trainFromConfig } from '../commands/train-command.ts';
import { resolveConfig } from '../config/load.ts';

async function dryRun(dataPath: string) {
	const value = { model: 'nowhere', data: { path: dataPath }, method: { type: 'ngram' }, output: '/o' };
	const config = resolveConfig(value, { place: 'test', folder: '/' });
	const request = { config, resume: false, overwrite: false, dryRun: true, allowOtherBase: false };
	const progress = { update: () => {}, note: () => {}, finish: () => {} };
	return trainFromConfig(request, { progress, interruption: () => new AbortController().signal });
}

it('plans n-grams without a model', async () => {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-plan-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const { data, text } = await dryRun(writeTinyDataset(folder, { train: 6, valid: 2, test: 4 }));
	expect(data).toMatchObject({ method: 'ngram', data: { rows: { train: 6, valid: 2, test: 4 } } });
	expect(text).toContain('train     6 functions, 50.0 % vulnerable');
	expect(text).toContain('no model is needed');
	expect(text).not.toMatch(/base|trainable|memory|packs/);
});

it('says that the data is not there', async () => {
	expect((await dryRun('/absent')).text).toContain('/absent is not there');
});
