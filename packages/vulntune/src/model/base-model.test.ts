import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fingerprintDifferences } from '@vulntune/engine';
import { smallGguf } from '@vulntune/engine/formats/gguf/testing/small-gguf.ts';
import { thrownBy } from '@vulntune/engine/formats/testing/thrown-by.ts';
import { expect, it, onTestFinished } from 'vitest';
import { writeTinyModel } from '../../../../tests/tiny.ts';
import { resolveConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { openTrainingBase } from '../fine-tuning/start-adapter.ts';
import { planTraining } from '../plan/plan-training.ts';
import { describeModel } from './info-text.ts';
import { readModelInfo } from './model-info.ts';
import { openBase } from './open-base.ts';
import { quantizeModel } from './quantize-model.ts';

function temporaryFolder(): string {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-base-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	return folder;
}

const configOf = (model: string, type = 'lora') => {
	const value = { model, data: { path: 'nowhere' }, method: { type }, backend: 'reference', output: '/o' };
	return resolveConfig(value, { place: 'test', folder: '/' });
};

it('refuses a run or an adapter, and says how to start from it', () => {
	const run = temporaryFolder();
	const put = (...parts: string[]) => {
		mkdirSync(path.join(run, path.dirname(path.join(...parts))), { recursive: true });
		writeFileSync(path.join(run, ...parts), '{}');
	};
	put('adapter', 'adapter_config.json');
	for (const folder of [run, path.join(run, 'adapter')]) {
		const { code, place, remedy } = thrownBy(() => openBase(configOf(folder)));
		expect({ code, place }).toEqual({ code: 'MODEL_CONFIG_MISSING', place: folder });
		expect(remedy).toContain(`method.from to ${folder}`);
	}
	put('metrics.jsonl');
	put('model', 'config.json');
	expect(thrownBy(() => openBase(configOf(run))).remedy).toContain(path.join(run, 'model'));
	put('config.json');
	expect(thrownBy(() => openBase(configOf(run))).summary).not.toContain('pretrain');
});

it('refuses the name of a model that is in no cache, and says what fetches it', async () => {
	const remedy = expect.stringContaining('vulntune model info nobody/unheard-of --download');
	const open = async (config: Config) => openBase(config);
	for (const plan of [open, planTraining]) {
		await expect(plan(configOf('nobody/unheard-of'))).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			place: 'nobody/unheard-of',
			summary: expect.stringContaining("the hub's cache"),
			remedy,
		});
	}
});

it('opens a GGUF file as the folder that it was made from, and writes it as one', async () => {
	const folder = temporaryFolder();
	const file = path.join(folder, 'model.Q8_0.gguf');
	writeFileSync(file, smallGguf());
	const base = openBase({ ...configOf(file), sequence: { length: 64 } });
	base.close();
	expect(base.tokenizer.separatorId).toBe(2);
	const output = path.join(folder, 'nf4');
	await quantizeModel({ model: file, output, type: 'nf4', doubleQuantization: false, overwrite: false });
	const [before, after] = [readModelInfo(file), readModelInfo(output)];
	expect(after).toMatchObject({ problems: [], quantization: { type: 'nf4' }, sizes: before.sizes });
	expect(after.tokenizer).toEqual(before.tokenizer);
	expect(before.weights).toEqual({
		tensors: 11,
		bytes: 3280,
		// as the file has them, not as they are read
		dtypes: { F32: { tensors: 10, bytes: 3008 }, Q8_0: { tensors: 1, bytes: 272 } },
	});
	expect(describeModel(before)).toContain('Q8_0 of GGUF, read as');
	expect(before).toMatchObject({
		architecture: 'LlamaForCausalLM',
		fingerprint: base.fingerprint,
		problems: [],
	});
	const other = path.join(folder, 'other.gguf');
	writeFileSync(other, smallGguf({ 'tokenizer.ggml.tokens': ['b', 'a', '<end>'] }));
	const another = openBase({ ...configOf(other), sequence: { length: 64 } });
	another.close();
	expect(fingerprintDifferences(base.fingerprint, another.fingerprint)).toEqual(['tokenizer']);
});

it('says of a damaged GGUF file what is wrong with it', () => {
	const file = path.join(temporaryFolder(), 'model.gguf');
	writeFileSync(file, 'GGUF');
	expect(() => openBase(configOf(file))).toThrow(
		expect.objectContaining({ code: 'GGUF_TRUNCATED', place: file }),
	);
});

it('leaves what is no name to whoever opens the folder', () => {
	const refusal = { code: 'MODEL_NOT_FOUND', remedy: expect.stringContaining('path of a folder') };
	expect(() => openBase(configOf('./nobody/unheard-of'))).toThrow(expect.objectContaining(refusal));
});

it.each(['qlora', 'head'])(
	'refuses to quantise a model a second time for %s, before any row is read',
	async (type) => {
		const folder = temporaryFolder();
		const model = writeTinyModel(path.join(folder, 'model'));
		const output = path.join(folder, 'quantised');
		await quantizeModel({ model, output, type: 'normal3', doubleQuantization: false, overwrite: false });
		const config = configOf(output, type);
		const asNf4 = { ...config, method: { ...config.method, base: 'nf4' } } as Config;
		const refusal = { code: 'MODEL_QUANTIZED', place: 'method.base' };
		const open = async (config: Config) => openTrainingBase(config, false, () => {});
		for (const plan of [open, planTraining]) await expect(plan(asNf4)).rejects.toMatchObject(refusal);
	},
);

it('refuses to train every weight of a quantised model, before any row is read', async () => {
	const folder = temporaryFolder();
	const model = writeTinyModel(path.join(folder, 'model'));
	const output = path.join(folder, 'quantised');
	await quantizeModel({ model, output, type: 'nf4', doubleQuantization: false, overwrite: false });
	const refusal = { code: 'BASE_QUANTIZED', place: output, remedy: expect.stringContaining('qlora') };
	const open = async (config: Config) => openTrainingBase(config, false, () => {});
	for (const plan of [open, planTraining]) {
		await expect(plan(configOf(output, 'full'))).rejects.toMatchObject(refusal);
	}
});
