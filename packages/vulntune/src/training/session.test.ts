import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { resolveConfig } from '../config/load.ts';
import { fingerprintOf, type PreparedData, prepareData } from './session.ts';

const data = {
	dataset: { hash: 'rows' },
	tokenizer: { hash: 'tokenizer' },
	folder: { config: { layers: 2 }, weights: { names: [] } },
} as unknown as PreparedData;

function fingerprint(overrides: Readonly<Record<string, string>> = {}): string {
	const value = { model: '/m', data: { path: '/d' }, method: { type: 'lora' }, output: '/o' };
	return fingerprintOf(resolveConfig(value, { place: 'test', folder: '/', overrides }), data);
}

it('tells runs apart whose results differ', () => {
	const changes = [
		{ 'data.collapseWhitespace': 'false' },
		{ 'training.seed': '2' },
		{ 'loss.reduction': 'mean' },
		{ 'sequence.packing': 'leaky' },
	];
	for (const change of changes) expect(fingerprint(change)).not.toBe(fingerprint());
});

it('is the same wherever the model and the data lie, and whatever computes', () => {
	const moved = { model: '/n', 'data.path': '/e', output: '/p' };
	const machine = { 'backend.threads': '1', 'training.checkpointEverySteps': '7' };
	expect(fingerprint({ ...moved, ...machine })).toBe(fingerprint());
});

describe('a base without an output matrix', () => {
	const root = temporaryFolder();
	const model = writeTinyModel(path.join(root, 'model'));
	const data = writeTinyDataset(path.join(root, 'data'), { train: 2, valid: 2, test: 2 });
	const file = path.join(model, 'config.json');
	writeFileSync(
		file,
		readFileSync(file, 'utf8').replace('"tie_word_embeddings":true', '"tie_word_embeddings":false'),
	);
	const prepare = (overrides: Readonly<Record<string, string>>) =>
		prepareData(tinyConfig({ model, data, output: path.join(root, 'run') }, overrides));

	it('is enough for a classifier', async () => {
		const { folder } = await prepare({});
		expect(folder.config.languageHead).toBe('absent');
		folder.close();
	});

	it('is refused for the next-token objective before the rows are tokenised', async () => {
		await expect(prepare({ objective: 'nextToken' })).rejects.toMatchObject({
			code: 'MODEL_HEAD_MISSING',
			place: model,
		});
	});
});
