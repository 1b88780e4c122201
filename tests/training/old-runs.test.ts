import { existsSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Config, type RunMode, runTraining } from 'vulntune';
import { runNgram } from '../../packages/vulntune/src/fine-tuning/run-ngram.ts';
import { filesOf } from '../files.ts';
import { temporaryFolder, tinyConfig, writeTinyDataset, writeTinyModel } from '../tiny.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 8, valid: 4, test: 4 });
const silent = { emit: () => {}, interrupted: () => false };
const fresh: RunMode = { resume: false, overwrite: false };

const kinds = [
	{ type: 'lora', run: runTraining, overrides: { 'training.epochs': '1' } },
	{ type: 'ngram', run: runNgram, overrides: { 'method.type': 'ngram' } },
] as const;

describe.each(kinds)('the output folder of a $type run', ({ type, run, overrides }) => {
	const output = path.join(root, type);
	const configOf = (folders: { data?: string; output?: string } = {}): Config =>
		tinyConfig({ model, data, output, ...folders }, overrides);

	beforeAll(async () => {
		expect((await run(configOf(), fresh, silent)).status).toBe('finished');
		expect(existsSync(path.join(output, 'run.lock'))).toBe(false);
	});

	it('is held while the run is computed', async () => {
		const held = path.join(root, `${type}-held`);
		let isHeld = false;
		const emit = () => {
			isHeld ||= existsSync(path.join(held, 'run.lock'));
		};
		await run(configOf({ output: held }), fresh, { emit, interrupted: () => isHeld });
		expect(isHeld).toBe(true);
		expect(existsSync(path.join(held, 'run.lock'))).toBe(false);
	});

	it('is not made for a run whose data is not there', async () => {
		const missing = configOf({ data: path.join(root, 'absent'), output: path.join(root, `${type}-none`) });
		await expect(run(missing, fresh, silent)).rejects.toThrow(/absent/);
		expect(existsSync(missing.output)).toBe(false);
	});

	it('keeps its run where the one that would replace it has no data', async () => {
		const before = filesOf(output);
		const missing = configOf({ data: path.join(root, 'absent') });
		await expect(run(missing, { resume: false, overwrite: true }, silent)).rejects.toThrow(/absent/);
		expect(filesOf(output)).toEqual(before);
	});

	it('is left as it is by --resume once the run is finished', async () => {
		const before = filesOf(output);
		const outcome = await run(configOf(), { resume: true, overwrite: false }, silent);
		expect(outcome.status).toBe('alreadyFinished');
		expect(filesOf(output)).toEqual(before);
	});
});
