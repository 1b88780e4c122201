import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAdapterConfig } from './adapter-config.ts';

/** As PEFT 0.21 saves a plain adapter: every field of its LoraConfig. */
const plain = {
	alora_invocation_tokens: null,
	alpha_pattern: {},
	arrow_config: null,
	auto_mapping: null,
	base_model_name_or_path: 'base',
	bias: 'none',
	corda_config: null,
	ensure_weight_tying: false,
	eva_config: null,
	exclude_modules: null,
	fan_in_fan_out: false,
	inference_mode: true,
	init_lora_weights: true,
	kasa_config: null,
	layer_replication: null,
	layers_pattern: null,
	layers_to_transform: null,
	loftq_config: {},
	lora_alpha: 8,
	lora_bias: false,
	lora_dropout: 0.05,
	lora_ga_config: null,
	megatron_config: null,
	megatron_core: 'megatron.core',
	modules_to_save: ['classifier', 'score'],
	monteclora_config: null,
	peft_type: 'LORA',
	peft_version: '0.21.2',
	qalora_group_size: 16,
	r: 4,
	rank_pattern: {},
	revision: null,
	target_modules: ['q_proj', 'v_proj'],
	target_parameters: null,
	task_type: 'SEQ_CLS',
	trainable_token_indices: null,
	use_bdlora: null,
	use_dora: false,
	use_qalora: false,
	use_rslora: true,
	velora_config: null,
};

describe('adapter_config.json', () => {
	let file: string;
	beforeAll(() => {
		file = path.join(mkdtempSync(path.join(tmpdir(), 'vulntune-adapter-config-')), 'adapter_config.json');
	});
	afterAll(() => rmSync(path.dirname(file), { recursive: true }));

	const functions = {
		selects: expect.any(Function),
		rankOf: expect.any(Function),
		alphaOf: expect.any(Function),
	};
	const read = (fields: object) => {
		writeFileSync(file, JSON.stringify({ ...plain, ...fields }));
		return readAdapterConfig(file);
	};

	test('as PEFT saves a plain adapter is read', () => {
		expect(read({})).toEqual({
			rank: 4,
			alpha: 8,
			dropout: 0.05,
			rsLora: true,
			targets: ['q_proj', 'v_proj'],
			baseModel: 'base',
			...functions,
		});
	});

	test.each([
		[{}, [true, true, false]],
		[{ exclude_modules: ['v_proj'] }, [true, false, false]],
		[{ exclude_modules: 'v_proj' }, [true, true, false]],
		[{ exclude_modules: '.*1.*' }, [true, false, false]],
		[{ layers_to_transform: [1, 3] }, [false, true, false]],
		[{ layers_to_transform: 0 }, [true, false, false]],
		[{ layers_to_transform: 1, layers_pattern: 'layers' }, [false, true, false]],
		[{ layers_to_transform: 1, layers_pattern: ['h', 'model.layers'] }, [false, true, false]],
		[{ layers_to_transform: 1, layers_pattern: 'ayers' }, [false, false, false]],
		[{ layers_to_transform: [] }, [true, true, false]],
		[{ target_modules: '.*proj' }, [true, true, true]],
		[{ target_modules: 'all-linear' }, [true, true, true]],
		[{ target_modules: String.raw`model\.layers\.\d\.self_attn\.(q|v)_proj` }, [true, true, false]],
		[{ target_modules: '(q|v)_proj' }, [false, false, false]],
		[{ modules_to_save: ['v_proj', 'layers.0'] }, [false, false, false]],
		[{ target_modules: ['layers.0.self_attn.q_proj'] }, [true, false, false]],
	])('selects modules with %j as PEFT does', (fields, expected) => {
		const modules = [
			'model.layers.0.self_attn.q_proj',
			'model.layers.1.self_attn.v_proj',
			'model.layers.1.xq_proj',
		];
		expect(modules.map(read(fields).selects)).toEqual(expected);
	});

	test('patterns give modules their own rank and alpha, the first that matches', () => {
		const { rank, alpha, rankOf, alphaOf } = read({
			rank_pattern: { 'layers.1.self_attn.q_proj': 2, q_proj: 6, '.*mlp.*': 16 },
			alpha_pattern: { 'layers.\\d.self_attn.v_proj': 3 },
		});
		expect([rank, alpha]).toEqual([16, 8]);
		const of = (module: string) => [rankOf(module), alphaOf(module)];
		expect(of('model.layers.1.self_attn.q_proj')).toEqual([2, 8]);
		expect(of('model.layers.0.self_attn.q_proj')).toEqual([6, 8]);
		expect(of('model.layers.0.self_attn.xq_proj')).toEqual([4, 8]);
		expect(of('model.layers.0.self_attn.v_proj')).toEqual([4, 3]);
		expect(of('model.layers.0.mlp.up_proj')).toEqual([16, 8]);
	});

	test.each([
		{ init_lora_weights: false },
		{ init_lora_weights: 'gaussian' },
		{ init_lora_weights: 'eva', eva_config: { rho: 2 } },
		{ loftq_config: { loftq_bits: 4 } },
		{ fan_in_fan_out: true },
		{ runtime_config: { ephemeral_gpu_offload: true } },
		{ auto_mapping: { base_model_class: 'Model' }, task_type: null },
		{ revision: 'main', peft_version: '0.9.0' },
		{ something_new: false, something_else: null, a_list: [], a_map: {}, a_name: '' },
	])('gives the same adapter with %j', (fields) => {
		expect(read(fields)).toEqual({ ...read({}), ...functions });
	});

	test.each([
		['init_lora_weights', 'pissa'],
		['init_lora_weights', 'pissa_niter_4'],
		['init_lora_weights', 'olora'],
		['init_lora_weights', 'corda'],
		['init_lora_weights', 'loftq'],
		['init_lora_weights', 'lora_ga'],
		['layer_replication', [[0, 2]]],
		['alora_invocation_tokens', [5, 6]],
		['rank_pattern', { q_proj: 0 }],
		['rank_pattern', { q_proj: '8' }],
		['rank_pattern', [8]],
		['rank_pattern', { '(?P<name>q_proj)': 8 }],
		['alpha_pattern', { q_proj: null }],
		['alpha_pattern', { '(q': 1 }],
		['target_modules', String.raw`q_proj\Z`],
		['target_modules', '(.*a)*b'],
		['exclude_modules', '[]q]'],
		['exclude_modules', 3],
		['layers_to_transform', 'all'],
		['trainable_token_indices', [1]],
		['target_parameters', ['experts.gate']],
		['arrow_config', { top_k: 3 }],
		['kasa_config', { beta: 1 }],
		['megatron_config', { tensor_model_parallel_size: 2 }],
		['monteclora_config', { num_samples: 8 }],
		['use_bdlora', { nblocks: 2 }],
		['use_dora', true],
		['use_qalora', true],
		['lora_bias', true],
		['bias', 'all'],
		['bias', 'lora_only'],
		['task_type', 'TOKEN_CLS'],
		['peft_type', 'ADALORA'],
		['use_rslora', 'true'],
		['modules_to_save', { score: true }],
		['base_model_name_or_path', 3],
		['something_new', true],
		['something_new', 0],
		['something_new', 'on'],
	])('is refused by name with %s %j', (key, value) => {
		expect(() => read({ [key]: value })).toThrow(
			expect.objectContaining({ code: 'ADAPTER_CONFIG', place: `${file}: ${key}` }),
		);
	});
});
