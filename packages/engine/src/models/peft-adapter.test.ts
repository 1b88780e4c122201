import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../formats/safetensors/writer.ts';
import { type PeftAdapter, readPeftAdapter, writePeftAdapter } from './peft-adapter.ts';

const adapter: PeftAdapter = {
	config: { rank: 1, alpha: 2, dropout: 0.1, rsLora: true, targets: ['q_proj'] },
	baseModel: 'small',
	matrices: new Map([
		['layer.q_proj.lora_A.weight', { shape: [1, 2], values: Float32Array.of(1, 2) }],
		['layer.q_proj.lora_B.weight', { shape: [3, 1], values: Float32Array.of(3, 4, 5) }],
	]),
	head: new Map([['score.weight', { shape: [2, 2], values: Float32Array.of(1, 0, 0, 1) }]]),
};

describe('an adapter folder', () => {
	let folder: string;
	beforeEach(() => {
		folder = mkdtempSync(path.join(tmpdir(), 'vulntune-adapter-'));
		writePeftAdapter(folder, adapter);
	});
	afterEach(() => rmSync(folder, { recursive: true }));

	test('is read as it was written', () => {
		expect(readPeftAdapter(folder)).toEqual(adapter);
	});

	test('is refused with its file where a matrix holds integers', () => {
		const file = path.join(folder, 'adapter_model.safetensors');
		writeSafetensors(file, [
			{ name: 'layer.q_proj.lora_A.weight', dtype: 'I8', shape: [1, 2], data: new Uint8Array(2) },
		]);
		expect(() => readPeftAdapter(folder)).toThrow(
			expect.objectContaining({
				code: 'ADAPTER_WEIGHTS',
				place: file,
				message: expect.stringContaining('I8'),
			}),
		);
	});

	/** The written config with some fields replaced. */
	function changeConfig(fields: object): void {
		const file = path.join(folder, 'adapter_config.json');
		writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...fields }));
	}

	test.each([
		{ target_modules: 'all-linear' },
		{ target_modules: '.*\\.(q|v)_proj' },
		{ target_modules: null },
		{ target_modules: ['q_proj'], layers_to_transform: [3] },
		{ target_modules: ['q_proj'], exclude_modules: 'lm_head' },
	])('adapts the modules that its weights name where the config has %j', (fields) => {
		changeConfig(fields);
		expect(readPeftAdapter(folder).config.targets).toEqual(['layer.q_proj']);
	});

	test.each([3, { q_proj: true }, ['q_proj', 1]])('is refused with target_modules %j', (targets) => {
		changeConfig({ target_modules: targets });
		expect(() => readPeftAdapter(folder)).toThrow(
			expect.objectContaining({
				code: 'ADAPTER_CONFIG',
				place: expect.stringContaining('target_modules'),
			}),
		);
	});

	test('is refused where dropout would remove everything', () => {
		const json = { peft_type: 'LORA', r: 1, lora_alpha: 2, lora_dropout: 1 };
		writeFileSync(path.join(folder, 'adapter_config.json'), JSON.stringify(json));
		expect(() => readPeftAdapter(folder)).toThrow(expect.objectContaining({ code: 'ADAPTER_CONFIG' }));
	});
});
