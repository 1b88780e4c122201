import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runsOf } from '../../../../tests/nightly/nightly.ts';
import { needsShared } from '../../../../tests/shared.ts';
import type { RopeScaling } from '../formats/huggingface/rope-scaling.ts';
import { smallConfig } from '../formats/testing/small-model.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { expectedTensors, families } from './families.ts';
import { parseModelConfig } from './model-config.ts';

const parse = (config: object) => parseModelConfig(config, 'config.json');
const ropeScalingOf = (config: object) => (config as { readonly ropeScaling: RopeScaling }).ropeScaling;

/** As transformers 5 writes it. */
const newStyle = (parameters: object) => {
	const { rope_theta, rope_scaling, torch_dtype, ...rest } = smallConfig;
	return { ...rest, dtype: torch_dtype, rope_parameters: { rope_theta, ...parameters } };
};

const llama3Fields = {
	rope_type: 'llama3',
	factor: 8,
	low_freq_factor: 1,
	high_freq_factor: 4,
	original_max_position_embeddings: 16,
};
const llama3 = {
	type: 'llama3',
	factor: 8,
	lowFrequencyFactor: 1,
	highFrequencyFactor: 4,
	originalMaxPositions: 16,
};

describe('parseModelConfig', () => {
	test('reads every field', () => {
		expect(parse(smallConfig)).toEqual({
			architecture: 'llama',
			causal: true,
			hiddenSize: 16,
			intermediateSize: 24,
			layers: 1,
			heads: 4,
			keyValueHeads: 2,
			headDim: 4,
			vocabularySize: 10,
			rmsNormEpsilon: 1e-5,
			ropeTheta: 10_000,
			ropeScaling: { type: 'none' },
			languageHead: 'own',
			maxPositions: 32,
			turnedShare: 1,
			attentionBias: { inputs: false, output: false },
			mlpBias: false,
			headNorms: false,
			windows: [],
			bosTokenId: 1,
			eosTokenIds: [2],
			padTokenId: undefined,
			dtype: 'float32',
			quantization: undefined,
		});
	});

	test.each([
		['none', {}, { type: 'none' }],
		['default', { rope_type: 'default' }, { type: 'none' }],
		['linear', { rope_type: 'linear', factor: 4 }, { type: 'linear', factor: 4 }],
		['llama3', llama3Fields, llama3],
	])('reads RoPE scaling %s in both styles alike', (_, scaling, expected) => {
		const theta = 500_000;
		const old = parse({ ...smallConfig, rope_theta: theta, rope_scaling: scaling });
		expect(old).toMatchObject({ ropeTheta: theta, ropeScaling: expected });
		expect(parse(newStyle({ ...scaling, rope_theta: theta }))).toEqual(old);
	});

	test('reads the older name of the scaling type', () => {
		const config = parse({ ...smallConfig, rope_scaling: { type: 'linear', factor: 2.5 } });
		expect(ropeScalingOf(config)).toEqual({ type: 'linear', factor: 2.5 });
	});

	test('dynamic scaling does nothing up to the trained length, which is then the limit', () => {
		const dynamic = { type: 'dynamic', factor: 4, original_max_position_embeddings: 20 };
		expect(parse({ ...smallConfig, rope_scaling: dynamic })).toMatchObject({
			ropeScaling: { type: 'none' },
			maxPositions: 20,
		});
	});

	test('fills in what transformers fills in', () => {
		const { num_key_value_heads, rope_theta, max_position_embeddings, rms_norm_eps, ...rest } = smallConfig;
		expect(parse(rest)).toMatchObject({
			keyValueHeads: 4,
			ropeTheta: 10_000,
			maxPositions: 2048,
			rmsNormEpsilon: 1e-6,
		});
		// more heads than those of keys and values, or the default of llama would give the same
		const heads = { num_attention_heads: 16, head_dim: 2 };
		expect(parse({ ...rest, model_type: 'mistral', ...heads })).toMatchObject({
			keyValueHeads: 8,
			maxPositions: 131_072,
		});
		const whole = { model_type: 'mistral', sliding_window: null, num_key_value_heads: null };
		expect(parse({ ...rest, ...whole })).toMatchObject({ keyValueHeads: 4, maxPositions: 131_072 });
	});

	test('reads both spellings of the rotary settings where they agree', () => {
		const scaling = { rope_type: 'linear', factor: 4 };
		const both = {
			rope_theta: 5000,
			rope_scaling: scaling,
			rope_parameters: { ...scaling, rope_theta: 5000 },
		};
		expect(parse({ ...smallConfig, ...both })).toEqual(
			parse({ ...smallConfig, ...both, rope_parameters: null }),
		);
		const empty = { ...both, rope_scaling: {} };
		expect(ropeScalingOf(parse({ ...smallConfig, ...empty }))).toEqual({ type: 'linear', factor: 4 });
	});

	test('takes the trained length of llama3 from either place, else the longest position', () => {
		const { original_max_position_embeddings: _, ...scaling } = llama3Fields;
		const trained = (fields: object) =>
			ropeScalingOf(parse({ ...smallConfig, rope_scaling: scaling, ...fields }));
		expect(trained({ original_max_position_embeddings: 16 })).toEqual(llama3);
		expect(trained({})).toEqual({ ...llama3, originalMaxPositions: 32 });
	});

	test.each([
		{ architectures: ['LlamaForSequenceClassification'], id2label: { 0: 'no' }, num_labels: 2 },
		{ attention_dropout: 0.1, pretraining_tp: 4, initializer_range: 0.25, use_cache: true },
		{ transformers_version: '5.24.0', _name_or_path: 'x', temperature: 0.6, is_causal: true },
		{ layer_types: ['full_attention'], use_sliding_window: false, max_window_layers: 28 },
		{ something_new: null, something_else: false, a_list: [], a_map: {}, a_name: '' },
		{ dtype: 'bfloat16', torch_dtype: 'float32' },
	])('%j changes nothing that is computed', (fields) => {
		const { dtype: _, ...config } = parse({ ...smallConfig, ...fields });
		const { dtype: __, ...plain } = parse(smallConfig);
		expect(config).toEqual(plain);
	});

	test('reads several end tokens, and -1 and null as none', () => {
		const config = parse({ ...smallConfig, eos_token_id: [2, 5], pad_token_id: -1, bos_token_id: null });
		expect(config).toMatchObject({ eosTokenIds: [2, 5], padTokenId: undefined, bosTokenId: undefined });
	});

	test('reads quantisation by bitsandbytes', () => {
		const quantized = (settings: object) =>
			parse({ ...smallConfig, quantization_config: { quant_method: 'bitsandbytes', ...settings } })
				.quantization;
		expect(
			quantized({ load_in_4bit: true, bnb_4bit_quant_type: 'nf4', bnb_4bit_use_double_quant: true }),
		).toEqual({ method: 'bitsandbytes', type: 'nf4', doubleQuantization: true });
		expect(quantized({ _load_in_4bit: true })).toMatchObject({ type: 'fp4', doubleQuantization: false });
		expect(quantized({ load_in_4bit: false })).toBeUndefined();
	});

	test.each([
		[{ hidden_size: undefined }, 'hidden_size'],
		[{ hidden_size: 16.5 }, 'hidden_size'],
		[{ hidden_size: '16' }, 'hidden_size'],
		[{ hidden_size: 18 }, 'hidden_size'],
		[{ hidden_size: 2 ** 40 }, 'hidden_size'],
		[{ intermediate_size: 0 }, 'intermediate_size'],
		[{ num_hidden_layers: 1e9 }, 'num_hidden_layers'],
		[{ num_attention_heads: -4 }, 'num_attention_heads'],
		[{ num_key_value_heads: 3 }, 'num_key_value_heads'],
		[{ head_dim: 5 }, 'head_dim'],
		[{ vocab_size: [] }, 'vocab_size'],
		[{ rms_norm_eps: 0 }, 'rms_norm_eps'],
		[{ rms_norm_eps: Number.POSITIVE_INFINITY }, 'rms_norm_eps'],
		[{ rope_theta: '1e4' }, 'rope_theta'],
		[{ rope_scaling: 'linear' }, 'rope_scaling'],
		[{ rope_scaling: { type: 'yarn', factor: 4 } }, 'rope_scaling: type'],
		[{ rope_scaling: { rope_type: 'linear' } }, 'rope_scaling: factor'],
		[{ rope_scaling: { ...llama3Fields, high_freq_factor: 1 } }, 'rope_scaling: high_freq_factor'],
		[{ rope_parameters: { rope_theta: -1 } }, 'rope_parameters: rope_theta'],
		[{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
		[{ max_position_embeddings: 0 }, 'max_position_embeddings'],
		[{ hidden_act: 'gelu' }, 'hidden_act'],
		[{ attention_bias: 1 }, 'attention_bias'],
		[{ mlp_bias: 'no' }, 'mlp_bias'],
		[{ tie_word_embeddings: 0 }, 'tie_word_embeddings'],
		[{ eos_token_id: [2, 'x'] }, 'eos_token_id'],
		[{ pad_token_id: 1.5 }, 'pad_token_id'],
		[{ torch_dtype: 16 }, 'torch_dtype'],
		[{ embedding_multiplier: 12 }, 'embedding_multiplier'],
		[{ final_logit_softcapping: 30 }, 'final_logit_softcapping'],
		[{ query_pre_attn_scalar: 0 }, 'query_pre_attn_scalar'],
		[{ auto_map: { AutoModel: 'modeling.Bidirectional' } }, 'auto_map'],
		[{ is_causal: false }, 'is_causal'],
		[{ is_encoder_decoder: true }, 'is_encoder_decoder'],
		[{ per_layer_config: { 0: {} } }, 'per_layer_config'],
		[{ rope_interleaved: true }, 'rope_interleaved'],
		[{ layer_types: ['linear_attention'] }, 'layer_types'],
		[{ layer_types: ['sliding_attention'] }, 'layer_types'],
		[{ layer_types: ['full_attention', 'full_attention'] }, 'layer_types'],
		[
			{ rope_scaling: { type: 'linear', factor: 4 }, rope_parameters: { rope_type: 'default' } },
			'rope_scaling',
		],
		[{ rope_scaling: { type: 'linear', factor: 4 }, rope_parameters: { rope_theta: 1e4 } }, 'rope_scaling'],
		[{ rope_theta: 1e4, rope_parameters: { rope_theta: 1e6 } }, 'rope_parameters: rope_theta'],
		[{ rope_scaling: { type: 'default', rope_type: 'linear', factor: 4 } }, 'rope_scaling: rope_type'],
		[
			{ rope_scaling: { rope_type: 'linear', factor: 4, attention_factor: 2 } },
			'rope_scaling: attention_factor',
		],
		[{ rope_parameters: { full_attention: { rope_type: 'default' } } }, 'rope_parameters: full_attention'],
		[{ original_max_position_embeddings: 8, rope_scaling: llama3Fields }, 'original_max_position_embeddings'],
		[
			{ quantization_config: { load_in_4bit: true, _load_in_4bit: false } },
			'quantization_config: _load_in_4bit',
		],
		[{ quantization_config: { load_in_4bit: true, bnb_4bit_new: 3 } }, 'quantization_config: bnb_4bit_new'],
		[
			{ quantization_config: { quant_method: 'vulntune', quant_type: 'int8', rows: 2 } },
			'quantization_config: rows',
		],
		[{ quantization_config: { quant_method: 'hqq' } }, 'quantization_config: quant_method'],
		[{ quantization_config: { load_in_8bit: true } }, 'quantization_config: load_in_8bit'],
		[
			{ quantization_config: { load_in_4bit: true, bnb_4bit_quant_type: 'int4' } },
			'quantization_config: bnb_4bit_quant_type',
		],
	])('%j is refused at its place', (change, place) => {
		const error = thrownBy(() => parse({ ...smallConfig, ...change }));
		expect(error).toMatchObject({ code: 'MODEL_CONFIG', kind: 'input', place: `config.json: ${place}` });
		expect(error.remedy).toBeDefined();
	});

	test('names the supported types where another one is found', () => {
		for (const type of ['gptj', 'constructor', undefined]) {
			const error = thrownBy(() => parse({ ...smallConfig, model_type: type }));
			expect(error).toMatchObject({ code: 'MODEL_TYPE', place: 'config.json: model_type' });
			expect(error.message).toMatch(/llama, mistral/);
		}
	});

	test('any value in any field gives a config or a typed error', () => {
		const fields = Object.keys({ ...smallConfig, head_dim: 1, rope_parameters: 1, quantization_config: 1 });
		fc.assert(
			fc.property(fc.constantFrom(...fields), fc.jsonValue(), (field, value) => {
				try {
					expect(expectedTensors(parse({ ...smallConfig, [field]: value })).length).toBeGreaterThan(2);
				} catch (error) {
					expect(error).toMatchObject({ name: 'VulntuneError' });
				}
			}),
			runsOf({ suite: 2000, nightly: 100_000, seed: 6 }),
		);
	});
});

/** What the published files have in common, from CodeBERT (2020) to ContraBERT (2023). */
const codeBert = {
	architectures: ['RobertaModel'],
	attention_probs_dropout_prob: 0.1,
	bos_token_id: 0,
	eos_token_id: 2,
	hidden_act: 'gelu',
	hidden_dropout_prob: 0.1,
	hidden_size: 768,
	initializer_range: 0.02,
	intermediate_size: 3072,
	layer_norm_eps: 1e-5,
	max_position_embeddings: 514,
	model_type: 'roberta',
	num_attention_heads: 12,
	num_hidden_layers: 12,
	pad_token_id: 1,
	type_vocab_size: 1,
	vocab_size: 50_265,
};

describe('encoders', () => {
	test.each([
		['CodeBERT', { output_past: true }, { maxPositions: 512, tokenTypes: 1, firstPosition: 2 }],
		[
			'GraphCodeBERT',
			{ architectures: ['RobertaForMaskedLM'], gradient_checkpointing: false, use_cache: true },
			{ maxPositions: 512, firstPosition: 2 },
		],
		[
			'UniXcoder',
			{
				max_position_embeddings: 1026,
				type_vocab_size: 10,
				vocab_size: 51_416,
				position_embedding_type: 'absolute',
			},
			{ maxPositions: 1024, tokenTypes: 10, vocabularySize: 51_416 },
		],
		[
			'ContraBERT',
			{ _name_or_path: 'microsoft/codebert-base', classifier_dropout: null, torch_dtype: 'float32' },
			{ maxPositions: 512, dtype: 'float32' },
		],
	])('a config of the shape of %s is read', (_, change, expected) => {
		const found = { architecture: 'roberta', causal: false, layers: 12, languageHead: 'absent', ...expected };
		expect(parse({ ...codeBert, ...change })).toMatchObject(found);
	});

	const modernBert = {
		...{ architectures: ['ModernBertForMaskedLM'], model_type: 'modernbert', hidden_activation: 'gelu' },
		...{ vocab_size: 50_368, hidden_size: 768, intermediate_size: 1152, num_hidden_layers: 22 },
		...{ num_attention_heads: 12, max_position_embeddings: 8192, norm_eps: 1e-5, norm_bias: false },
		...{ attention_bias: false, mlp_bias: false, local_attention: 128, global_attn_every_n_layers: 3 },
		...{ global_rope_theta: 160_000, local_rope_theta: 10_000, layer_norm_eps: 1e-5 },
		...{ bos_token_id: 50_281, eos_token_id: 50_282, pad_token_id: 50_283, cls_token_id: 50_281 },
		...{ classifier_pooling: 'mean', decoder_bias: true, position_embedding_type: 'absolute' },
	};

	test('ModernBERT has the layers, windows and weights of the published base model', () => {
		const config = parse(modernBert) as unknown as Record<string, unknown>;
		expect(config).toMatchObject({ causal: false, maxPositions: 8192, window: 65, globalTheta: 160_000 });
		expect((config.isLocal as boolean[]).slice(0, 5)).toEqual([false, true, true, false, true]);
		const weights = expectedTensors(parse(modernBert)).reduce(
			(sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
			0,
		);
		expect((weights / 1e6).toFixed()).toBe('149');
		const newer = {
			rope_parameters: { full_attention: { rope_theta: 7, rope_type: 'default' }, sliding_attention: null },
			...{ global_rope_theta: null, local_rope_theta: null },
		};
		expect(parse({ ...modernBert, ...newer })).toMatchObject({ globalTheta: 7, localTheta: 10_000 });
	});

	test.each([
		[{ rope_scaling: { type: 'linear', factor: 2 } }, 'rope_scaling'],
		[
			{ rope_parameters: { full_attention: { rope_type: 'yarn', factor: 2 } } },
			'rope_parameters: full_attention: rope_type',
		],
		[{ rope_parameters: { rope_theta: 3 } }, 'rope_parameters: rope_theta'],
		[{ rope_parameters: { full_attention: { rope_theta: 3 } } }, 'global_rope_theta'],
		[{ layer_types: ['full_attention'] }, 'layer_types'],
		[{ hidden_activation: 'silu' }, 'hidden_activation'],
		[{ hidden_size: 780 }, 'hidden_size'],
		[{ is_decoder: true }, 'is_decoder'],
	])('ModernBERT with %j is refused at its place', (change, place) => {
		expect(thrownBy(() => parse({ ...modernBert, ...change })).place).toBe(`config.json: ${place}`);
	});

	test("BERT's positions count from 0 whatever its padding token is", () => {
		const config = parse({ ...codeBert, model_type: 'bert', max_position_embeddings: 512 });
		expect(config).toMatchObject({ architecture: 'bert', maxPositions: 512, firstPosition: 0 });
	});

	test.each(['bert', 'roberta'])('%s is refused with positions or masks of another kind', (model_type) => {
		for (const change of [{ position_embedding_type: 'relative_key' }, { is_decoder: true }]) {
			const place = `config.json: ${Object.keys(change)[0]}`;
			expect(thrownBy(() => parse({ ...codeBert, model_type, ...change }))).toMatchObject({ place });
		}
	});
});

describe('expectedTensors', () => {
	test('lists names and shapes, biases and an untied head included', () => {
		const tensors = expectedTensors(parse({ ...smallConfig, attention_bias: true, mlp_bias: true }));
		const shapes = Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]));
		expect(shapes).toEqual({
			'model.embed_tokens.weight': [10, 16],
			'model.layers.0.input_layernorm.weight': [16],
			'model.layers.0.self_attn.q_proj.weight': [16, 16],
			'model.layers.0.self_attn.q_proj.bias': [16],
			'model.layers.0.self_attn.k_proj.weight': [8, 16],
			'model.layers.0.self_attn.k_proj.bias': [8],
			'model.layers.0.self_attn.v_proj.weight': [8, 16],
			'model.layers.0.self_attn.v_proj.bias': [8],
			'model.layers.0.self_attn.o_proj.weight': [16, 16],
			'model.layers.0.self_attn.o_proj.bias': [16],
			'model.layers.0.post_attention_layernorm.weight': [16],
			'model.layers.0.mlp.gate_proj.weight': [24, 16],
			'model.layers.0.mlp.gate_proj.bias': [24],
			'model.layers.0.mlp.up_proj.weight': [24, 16],
			'model.layers.0.mlp.up_proj.bias': [24],
			'model.layers.0.mlp.down_proj.weight': [16, 24],
			'model.layers.0.mlp.down_proj.bias': [16],
			'model.norm.weight': [16],
			'lm_head.weight': [10, 16],
		});
		expect(tensors.filter(({ kind }) => kind === 'linear')).toHaveLength(7);
		const tied = expectedTensors(parse({ ...smallConfig, tie_word_embeddings: true }));
		expect(tied.some(({ kind }) => kind === 'head')).toBe(false);
	});
});

const fixtures = needsShared('fixtures/models');

describe.skipIf(fixtures.skip)('fixtures/models', () => {
	const configs = fixtures.skip
		? []
		: readdirSync(fixtures.path)
				.map((name) => [name, path.join(fixtures.path, name, 'config.json')] as const)
				.filter(([, file]) => existsSync(file));

	test.each(configs)('%s is read or refused by its type', (_, file) => {
		const json = JSON.parse(readFileSync(file, 'utf8'));
		if (!families.some(({ modelTypes }) => modelTypes.includes(json.model_type))) {
			expect(thrownBy(() => parseModelConfig(json, file)).code).toBe('MODEL_TYPE');
			return;
		}
		const config = parseModelConfig(json, file);
		if (config.architecture !== 'llama') {
			expect(config).toMatchObject({
				hiddenSize: json.hidden_size ?? json.n_embd,
				layers: json.num_hidden_layers ?? json.n_layer,
				heads: json.num_attention_heads ?? json.n_head,
				causal: config.architecture !== 'roberta',
			});
			return;
		}
		expect(config).toMatchObject({
			hiddenSize: json.hidden_size,
			headDim: json.head_dim,
			rmsNormEpsilon: json.rms_norm_eps,
			ropeTheta: json.rope_theta ?? json.rope_parameters.rope_theta,
			dtype: json.dtype ?? json.torch_dtype,
			eosTokenIds: [json.eos_token_id],
		});
		const scaling = json.rope_scaling ?? json.rope_parameters;
		const type = scaling?.rope_type ?? scaling?.type ?? 'default';
		expect(ropeScalingOf(config).type).toBe(type === 'default' ? 'none' : type);
		expect(config.quantization?.type).toBe(json.quantization_config?.bnb_4bit_quant_type);
	});
});
