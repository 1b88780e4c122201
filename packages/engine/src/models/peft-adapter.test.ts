import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../formats/safetensors/writer.ts';
import { type PeftAdapter, readPeftAdapter, readPeftModules, writePeftAdapter } from './peft-adapter.ts';

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

	test('of some blocks says which', () => {
		const name = 'model.layers.1.q_proj';
		const matrices = new Map(
			[...adapter.matrices].map(([each, matrix]) => [each.replace('layer.q_proj', name), matrix]),
		);
		const config = { ...adapter.config, layersToTransform: [1] };
		writePeftAdapter(folder, { ...adapter, config, matrices });
		const written = JSON.parse(readFileSync(path.join(folder, 'adapter_config.json'), 'utf8'));
		expect(written).toMatchObject({ target_modules: ['q_proj'], layers_to_transform: [1] });
		expect(readPeftAdapter(folder).config.targets).toEqual([name]);
	});

	test('of several ranks and scales is one of a single rank and scale that computes the same', () => {
		const patterns = { rank_pattern: { k_proj: 2 }, alpha_pattern: { k_proj: 5 } };
		changeConfig({ target_modules: ['q_proj', 'k_proj'], ...patterns });
		const tensor = (name: string, shape: number[], ...numbers: number[]) =>
			({ name: `layer.${name}.weight`, dtype: 'F32', shape, data: values(...numbers) }) as const;
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), [
			...pair,
			tensor('k_proj.lora_A', [2, 1], 7, 8),
			tensor('k_proj.lora_B', [1, 2], 9, 10),
		]);
		const { config, matrices } = readPeftAdapter(folder);
		expect(config).toMatchObject({ rank: 2, alpha: 2, rsLora: true });
		const found = Object.fromEntries(
			[...matrices].map(([name, { shape, values }]) => [name, [shape, [...values]]]),
		);
		// scales: 2 / √2 of the whole, 2 / √1 of q, 5 / √2 of k
		const q = [3, 4, 5].flatMap((value) => [Math.fround(Math.SQRT2 * value), 0]);
		expect(found).toEqual({
			'layer.q_proj.lora_A.weight': [
				[2, 2],
				[1, 2, 0, 0],
			],
			'layer.q_proj.lora_B.weight': [[3, 2], q.map((value) => expect.closeTo(value, 5))],
			'layer.k_proj.lora_A.weight': [
				[2, 1],
				[7, 8],
			],
			'layer.k_proj.lora_B.weight': [
				[1, 2],
				[22.5, 25],
			],
		});
	});

	test('claims a classifier of PEFT only where PEFT runs its head', () => {
		const written = () => JSON.parse(readFileSync(path.join(folder, 'adapter_config.json'), 'utf8'));
		expect(written()).toMatchObject({ task_type: 'SEQ_CLS', modules_to_save: ['score'] });
		writePeftAdapter(folder, adapter, { isPeftHead: false });
		expect(written()).toMatchObject({ task_type: 'FEATURE_EXTRACTION', modules_to_save: null });
		expect(readPeftAdapter(folder)).toEqual(adapter);
		writePeftAdapter(folder, { ...adapter, head: new Map() });
		expect(written()).toMatchObject({ task_type: 'CAUSAL_LM', modules_to_save: null });
	});

	test('tells its modules without reading their matrices', () => {
		expect(readPeftModules(folder)).toEqual(['layer.q_proj']);
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

	const values = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);
	const pair = [
		{ name: 'layer.q_proj.lora_A.weight', dtype: 'F32', shape: [1, 2], data: values(1, 2) },
		{ name: 'layer.q_proj.lora_B.weight', dtype: 'F32', shape: [3, 1], data: values(3, 4, 5) },
	] as const;

	test.each([
		'base_model.model.model.embed_tokens.weight',
		'base_model.model.layer.q_proj.lora_magnitude_vector',
		'base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta',
		'layer.q_proj.lora_B.bias',
	])('is refused by name where %s is in the weights, which nothing reads', (name) => {
		const other = { name, dtype: 'F32', shape: [1], data: values(1) } as const;
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), [...pair, other]);
		expect(() => readPeftAdapter(folder)).toThrow(
			expect.objectContaining({ code: 'ADAPTER_WEIGHTS', message: expect.stringContaining(name) }),
		);
	});

	test('is refused where a matrix holds NaN, with its name', () => {
		const damaged = { ...pair[1], data: values(3, Number.NaN, 5) };
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), [pair[0], damaged]);
		expect(() => readPeftAdapter(folder)).toThrow(/layer\.q_proj\.lora_B\.weight holds NaN as its element 1/);
	});

	test.each([
		[{ ...pair[0], shape: [2, 1] }, pair[1]],
		[pair[0], { ...pair[1], shape: [1, 3] }],
	])('is refused where a matrix has another rank than the config, with its name', (...matrices) => {
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), matrices);
		expect(() => readPeftAdapter(folder)).toThrow(
			expect.objectContaining({
				code: 'ADAPTER_WEIGHTS',
				message: expect.stringMatching(/lora_[AB]\.weight should have rank 1/),
			}),
		);
	});

	test('is refused where one tensor is there under two names', () => {
		const twice = [...pair, { ...pair[0], name: `base_model.model.${pair[0].name}` }];
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), twice);
		expect(() => readPeftAdapter(folder)).toThrow(/is there twice/);
	});

	test('takes its head from a head.safetensors; one that differs from its own is refused', () => {
		const head = { name: 'weight', dtype: 'F32', shape: [2, 2], data: values(1, 2, 3, 4) } as const;
		writeSafetensors(path.join(folder, 'head.safetensors'), [head]);
		expect(() => readPeftAdapter(folder)).toThrow(expect.objectContaining({ code: 'ADAPTER_WEIGHTS' }));
		writeSafetensors(path.join(folder, 'adapter_model.safetensors'), pair);
		expect([...readPeftAdapter(folder).head.get('score.weight')!.values]).toEqual([1, 2, 3, 4]);
		writeSafetensors(path.join(folder, 'head.safetensors'), [head, { ...head, name: 'bias' }]);
		expect(() => readPeftAdapter(folder)).toThrow(/bias is no part of a head/);
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
		{ target_modules: ['q_proj'], layers_to_transform: [], layers_pattern: 'layers' },
		{ target_modules: ['q_proj'], exclude_modules: 'lm_head' },
	])('adapts the modules that its weights name where the config has %j', (fields) => {
		changeConfig(fields);
		expect(readPeftAdapter(folder).config.targets).toEqual(['layer.q_proj']);
	});

	test('is refused where it has matrices that its config leaves out', () => {
		changeConfig({ target_modules: ['v_proj'] });
		expect(() => readPeftAdapter(folder)).toThrow(
			expect.objectContaining({
				code: 'ADAPTER_WEIGHTS',
				message: expect.stringContaining('leaves out layer.q_proj'),
			}),
		);
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
