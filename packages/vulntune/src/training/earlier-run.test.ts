import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesOf } from '../../../../tests/files.ts';
import { tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { runNgram } from '../fine-tuning/run-ngram.ts';
import { runTraining } from '../fine-tuning/run-training.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-earlier-'));
afterAll(() => rmSync(root, { recursive: true }));
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 2, test: 2 });
const signals = { emit: () => {}, interrupted: () => false };
const again = { resume: true, overwrite: false };
const fresh = { resume: false, overwrite: false };
const finished = path.join(root, 'finished');
const short = { 'training.epochs': '2', 'method.targets': '[q_proj]' };

beforeAll(async () => {
	await runTraining(tinyConfig({ model, data, output: finished }, short), fresh, signals);
});

function copy(name: string): string {
	const output = path.join(root, name);
	cpSync(finished, output, { recursive: true });
	return output;
}

describe('--resume on a finished run', () => {
	it('needs neither model nor data, and changes nothing', async () => {
		const config = tinyConfig({ model, data, output: finished }, short);
		const before = filesOf(finished);
		renameSync(model, `${model}-away`);
		renameSync(data, `${data}-away`);
		try {
			const outcome = await runTraining(config, again, signals);
			expect(outcome).toEqual({ status: 'alreadyFinished', output: finished });
			expect(filesOf(finished)).toEqual(before);
		} finally {
			renameSync(`${model}-away`, model);
			renameSync(`${data}-away`, data);
		}
	});

	it('names the option that differs with both values, also where one is what it is by default', async () => {
		const output = copy('other-passes');
		const other = tinyConfig({ model, data, output }, { ...short, 'training.sequencesPerPass': '2' });
		await expect(runTraining(other, again, signals)).rejects.toThrow(
			'the run was made with another configuration: training.sequencesPerPass: 1, not 2',
		);
		const paired = tinyConfig({ model, data, output }, { ...short, 'loss.pair': 'rank' });
		await expect(runTraining(paired, again, signals)).rejects.toThrow('loss.pair: null, not "rank"');
	});

	it('neither begins it anew nor takes another number of epochs where its checkpoints were removed', async () => {
		const output = copy('without-checkpoints');
		rmSync(path.join(output, 'checkpoints'), { recursive: true });
		const before = filesOf(output);
		const same = runTraining(tinyConfig({ model, data, output }, short), again, signals);
		expect((await same).status).toBe('alreadyFinished');
		for (const epochs of ['1', '3']) {
			const other = tinyConfig({ model, data, output }, { ...short, 'training.epochs': epochs });
			await expect(runTraining(other, again, signals)).rejects.toMatchObject({
				code: 'CHECKPOINT_OTHER_RUN',
			});
		}
		expect(filesOf(output)).toEqual(before);
	});

	it('says nothing of being finished for other data in another place', async () => {
		const other = writeTinyDataset(path.join(root, 'other-data'), { train: 6, valid: 2, test: 2 });
		const before = filesOf(finished);
		const config = tinyConfig({ model, data: other, output: finished }, short);
		const fault = { code: 'CHECKPOINT_OTHER_RUN', place: finished };
		await expect(runTraining(config, again, signals)).rejects.toMatchObject(fault);
		expect(filesOf(finished)).toEqual(before);
	});
});

it('is refused where another base of the same shape lies in its place, unless that is taken by name', async () => {
	const output = path.join(root, 'exchanged');
	const interrupted = { emit: () => {}, interrupted: () => true };
	await runTraining(tinyConfig({ model, data, output }, short), fresh, interrupted);
	const other = path.join(root, 'other-model');
	cpSync(model, other, { recursive: true });
	const weights = path.join(other, 'model.safetensors');
	const bytes = readFileSync(weights);
	bytes[bytes.length - 3]! ^= 1; // not a norm's
	writeFileSync(weights, bytes);
	const config = tinyConfig({ model: other, data, output }, short);
	await expect(runTraining(config, again, signals)).rejects.toMatchObject({
		code: 'CHECKPOINT_OTHER_RUN',
		summary: expect.stringContaining('other weights of the base model'),
		remedy: expect.stringContaining('--allow-other-base'),
	});
	expect((await runTraining(config, { ...again, allowOtherBase: true }, signals)).status).toBe('finished');
	const read = (file: string) => JSON.parse(readFileSync(path.join(output, file), 'utf8'));
	const [{ baseFingerprint: first }] = [
		JSON.parse(readFileSync(path.join(finished, 'adapter/vulntune.json'), 'utf8')),
	];
	for (const kept of [read('environment.json'), read('adapter/vulntune.json')]) {
		expect(kept.earlierBases).toEqual([first]);
		expect((kept.base.weights ? kept.base : kept.baseFingerprint).weights).not.toBe(first.weights);
	}
});

it('is refused over the run of another method', async () => {
	const output = path.join(root, 'ngram');
	const ngram = tinyConfig({ model, data, output }, { 'method.type': 'ngram' });
	await runNgram(ngram, fresh, signals);
	const before = filesOf(output);
	const lora = tinyConfig({ model, data, output }, short);
	await expect(runTraining(lora, again, signals)).rejects.toMatchObject({
		code: 'CHECKPOINT_OTHER_RUN',
		summary: expect.stringContaining('ngram'),
	});
	expect(filesOf(output)).toEqual(before);

	const other = copy('lora-without-checkpoints');
	rmSync(path.join(other, 'checkpoints'), { recursive: true });
	const over = tinyConfig({ model, data, output: other }, { 'method.type': 'ngram' });
	await expect(runNgram(over, again, signals)).rejects.toMatchObject({ code: 'CHECKPOINT_OTHER_RUN' });
	expect(readdirSync(other)).toContain('predictions.test.jsonl');
});

it('is refused over the run of another command', async () => {
	const output = copy('pretraining');
	rmSync(path.join(output, 'checkpoints'), { recursive: true });
	writeFileSync(path.join(output, 'config.yaml'), 'source: { type: generated }\n');
	const lora = tinyConfig({ model, data, output }, short);
	await expect(runTraining(lora, again, signals)).rejects.toMatchObject({ code: 'CHECKPOINT_OTHER_RUN' });
});
