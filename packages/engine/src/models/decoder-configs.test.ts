import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runsOf } from '../../../../tests/nightly/nightly.ts';
import { smallConfig } from '../formats/testing/small-model.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { expectedTensors } from './families.ts';
import { parseModelConfig } from './model-config.ts';

const parse = (config: object) => parseModelConfig(config, 'config.json');

/** A model of four layers in which windows can differ. */
const layered = { ...smallConfig, num_hidden_layers: 4 };
const starcoder2 = { ...layered, model_type: 'starcoder2', rms_norm_eps: null };

/** What the published files hold, but for names and versions. */
const published = {
	'Mistral-7B-v0.1': {
		...{ model_type: 'mistral', bos_token_id: 1, eos_token_id: 2, hidden_act: 'silu', hidden_size: 4096 },
		...{ initializer_range: 0.02, intermediate_size: 14_336, max_position_embeddings: 32_768 },
		...{ num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 8, rms_norm_eps: 1e-5 },
		...{ rope_theta: 10_000, sliding_window: 4096, tie_word_embeddings: false, torch_dtype: 'bfloat16' },
		...{ use_cache: true, vocab_size: 32_000 },
	},
	'Qwen2.5-Coder-1.5B': {
		...{ model_type: 'qwen2', attention_dropout: 0, bos_token_id: 151_643, eos_token_id: 151_643 },
		...{ hidden_act: 'silu', hidden_size: 1536, initializer_range: 0.02, intermediate_size: 8960 },
		...{ max_position_embeddings: 32_768, max_window_layers: 28, num_attention_heads: 12 },
		...{ num_hidden_layers: 28, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1e6 },
		...{ sliding_window: 131_072, tie_word_embeddings: true, torch_dtype: 'bfloat16', use_cache: true },
		...{ use_mrope: false, use_sliding_window: false, vocab_size: 151_936 },
	},
	'Qwen3-0.6B': {
		...{ model_type: 'qwen3', attention_bias: false, attention_dropout: 0, bos_token_id: 151_643 },
		...{ eos_token_id: 151_645, head_dim: 128, hidden_act: 'silu', hidden_size: 1024 },
		...{ initializer_range: 0.02, intermediate_size: 3072, max_position_embeddings: 40_960 },
		...{ max_window_layers: 28, num_attention_heads: 16, num_hidden_layers: 28, num_key_value_heads: 8 },
		...{ rms_norm_eps: 1e-6, rope_scaling: null, rope_theta: 1e6, sliding_window: null },
		...{ tie_word_embeddings: true, torch_dtype: 'bfloat16', use_sliding_window: false, vocab_size: 151_936 },
	},
	'StarCoder2-3B': {
		...{ model_type: 'starcoder2', attention_dropout: 0.1, attention_softmax_in_fp32: true },
		...{ bos_token_id: 0, embedding_dropout: 0.1, eos_token_id: 0, hidden_act: 'gelu_pytorch_tanh' },
		...{ hidden_size: 3072, initializer_range: 0.018_042, intermediate_size: 12_288 },
		...{ layer_norm_epsilon: 1e-5, max_position_embeddings: 16_384, mlp_type: 'default' },
		...{ norm_epsilon: 1e-5, norm_type: 'layer_norm', num_attention_heads: 24, num_hidden_layers: 30 },
		...{ num_key_value_heads: 2, residual_dropout: 0.1, rope_theta: 999_999.442_035_881_3 },
		...{ scale_attention_softmax_in_fp32: true, scale_attn_weights: true, sliding_window: 4096 },
		...{ torch_dtype: 'float32', use_bias: true, use_cache: true, vocab_size: 49_152 },
	},
	'GPT-NeoX-20B': {
		...{ model_type: 'gpt_neox', attention_probs_dropout_prob: 0, bos_token_id: 0, eos_token_id: 0 },
		...{ hidden_act: 'gelu_fast', hidden_dropout_prob: 0, hidden_size: 6144, initializer_range: 0.02 },
		...{ intermediate_size: 24_576, layer_norm_eps: 1e-5, max_position_embeddings: 2048 },
		...{ num_attention_heads: 64, num_hidden_layers: 44, rotary_emb_base: 10_000, rotary_pct: 0.25 },
		...{ tie_word_embeddings: false, torch_dtype: 'float16', use_cache: true, vocab_size: 50_432 },
	},
	'Pythia-160M': {
		...{ model_type: 'gpt_neox', bos_token_id: 0, eos_token_id: 0, hidden_act: 'gelu', hidden_size: 768 },
		...{ initializer_range: 0.02, intermediate_size: 3072, layer_norm_eps: 1e-5 },
		...{ max_position_embeddings: 2048, num_attention_heads: 12, num_hidden_layers: 12 },
		...{ rotary_emb_base: 10_000, rotary_pct: 0.25, tie_word_embeddings: false, torch_dtype: 'float16' },
		...{ use_cache: true, use_parallel_residual: true, vocab_size: 50_304 },
	},
};

describe('published configs of decoders', () => {
	// as many weights as their publishers name, the embedding counted once where it is tied
	test.each([
		['Mistral-7B-v0.1', 7.24, { maxPositions: 32_768, headDim: 128 }, 4096],
		['Qwen2.5-Coder-1.5B', 1.54, { maxPositions: 32_768, headDim: 128 }, undefined],
		['Qwen3-0.6B', 0.6, { headDim: 128, heads: 16, hiddenSize: 1024 }, undefined],
		['StarCoder2-3B', 3.03, { languageHead: 'tied', layerNormEpsilon: 1e-5 }, 4096],
		['GPT-NeoX-20B', 20.55, { turned: 24, isParallel: true, activation: 'geluTanh' }, undefined],
		['Pythia-160M', 0.16, { turned: 16, isParallel: true, languageHead: 'own' }, undefined],
	] as const)('%s: %d thousand million weights', (name, weights, expected, window) => {
		const config = parse(published[name]);
		expect(config).toMatchObject(expected);
		const all = expectedTensors(config).map(({ shape }) => shape.reduce((size, length) => size * length, 1));
		expect(all.reduce((sum, size) => sum + size, 0) / 1e9).toBeCloseTo(weights, 2);
		expect(windowsOf(config)).toEqual(Array(config.layers).fill(window));
	});
});

test.each(Object.entries(published))(
	'any value in any field of %s gives a config or a typed error',
	(_, whole) => {
		// small, so that its weights are listed in no time
		const config = { ...whole, num_hidden_layers: 2 };
		fc.assert(
			fc.property(fc.constantFrom(...Object.keys(config)), fc.jsonValue(), (field, value) => {
				try {
					expect(expectedTensors(parse({ ...config, [field]: value })).length).toBeGreaterThan(2);
				} catch (error) {
					expect(error).toMatchObject({ name: 'VulntuneError' });
				}
			}),
			runsOf({ suite: 300, nightly: 20_000, seed: 8 }),
		);
	},
);

/** The window of each layer, from the family's own fields. */
function windowsOf(config: object): unknown[] {
	const { layers, windows, window } = config as Readonly<Record<string, unknown>> & {
		readonly layers: number;
		readonly windows?: readonly unknown[];
	};
	return Array.from({ length: layers }, (_, layer) => windows?.[layer] ?? window);
}

describe('windows', () => {
	const qwen = { ...layered, model_type: 'qwen2', use_sliding_window: true, sliding_window: 8 };
	const types = (pattern: string) =>
		[...pattern].map((letter) => (letter === 's' ? 'sliding_attention' : 'full_attention'));
	test.each([
		[{ ...layered, model_type: 'mistral' }, 'ssss', 4096],
		[{ ...layered, model_type: 'mistral', sliding_window: 8 }, 'ssss', 8],
		[{ ...layered, model_type: 'mistral', sliding_window: 8, layer_types: types('ssss') }, 'ssss', 8],
		[{ ...layered, model_type: 'mistral', sliding_window: null }, 'ffff', 0],
		[{ ...starcoder2 }, 'ffff', 0],
		[{ ...starcoder2, sliding_window: 8 }, 'ssss', 8],
		[qwen, 'ffff', 0],
		[{ ...qwen, max_window_layers: 3 }, 'fffs', 8],
		[{ ...qwen, max_window_layers: 0 }, 'ssss', 8],
		[{ ...qwen, max_window_layers: 3, layer_types: types('sfsf') }, 'sfsf', 8],
		[{ ...qwen, max_window_layers: 1, use_sliding_window: false }, 'ffff', 0],
		[{ ...qwen, max_window_layers: 1, sliding_window: null }, 'ffff', 0],
		[{ ...qwen, model_type: 'qwen3', max_window_layers: 2, sliding_window: undefined }, 'ffss', 4096],
	])('%j: %s', (config, pattern, window) => {
		const expected = [...pattern].map((letter) => (letter === 's' ? window : undefined));
		expect(windowsOf(parse(config))).toEqual(expected);
		expect(parse(config).maxPositions).toBe(32);
	});

	test('limit the positions of a llama, which has none', () => {
		const llama = { ...layered, sliding_window: 12, layer_types: types('sfsf') };
		expect(parse(llama)).toMatchObject({ maxPositions: 12 });
		expect(windowsOf(parse(llama))).toEqual(Array(4).fill(undefined));
	});

	test.each([
		[{ model_type: 'mistral', sliding_window: 8, layer_types: types('sfsf') }, 'layer_types'],
		[{ model_type: 'mistral', sliding_window: null, layer_types: types('ssss') }, 'layer_types'],
		[{ model_type: 'qwen2', layer_types: types('sfsf') }, 'layer_types'],
		[{ model_type: 'qwen2', max_window_layers: -1 }, 'max_window_layers'],
		[{ model_type: 'qwen2', attention_bias: true }, 'attention_bias'],
		[{ model_type: 'mistral', mlp_bias: true }, 'mlp_bias'],
		[{ model_type: 'mistral', sliding_window: 0 }, 'sliding_window'],
		[{ ...starcoder2, norm_type: 'rms_norm' }, 'norm_type'],
		[{ ...starcoder2, hidden_act: 'silu' }, 'hidden_act'],
		[{ ...starcoder2, head_dim: 5 }, 'head_dim'],
		[{ ...starcoder2, layer_norm_epsilon: 1e-6 }, 'layer_norm_epsilon'],
		[{ model_type: 'gpt_neox', rms_norm_eps: undefined, num_key_value_heads: 2 }, 'num_key_value_heads'],
	])('%j is refused at its place', (change, place) => {
		const error = thrownBy(() => parse({ ...layered, ...change }));
		expect(error).toMatchObject({ code: 'MODEL_CONFIG', place: `config.json: ${place}` });
	});
});

describe('a part of each head', () => {
	const { rms_norm_eps: _, num_key_value_heads: __, rope_theta: ___, ...rest } = smallConfig;
	const neox = { ...rest, model_type: 'gpt_neox', num_attention_heads: 2 };
	test.each([
		[{}, { turned: 2, ropeTheta: 10_000 }],
		[
			{ rope_theta: 10_000, partial_rotary_factor: 0.25 },
			{ turned: 2, ropeTheta: 10_000 },
		],
		[
			{ rotary_pct: 0.5, rotary_emb_base: 500 },
			{ turned: 4, ropeTheta: 500 },
		],
		[{ rotary_pct: 1, partial_rotary_factor: 1 }, { turned: 8 }],
		[{ rope_parameters: { partial_rotary_factor: 0.5, rope_theta: 500 } }, { turned: 4, ropeTheta: 500 }],
		[{ rotary_pct: 0.5, rope_scaling: { type: 'linear', factor: 2 } }, { turned: 4 }],
	])('is turned by %j', (change, expected) => {
		expect(parse({ ...neox, ...change })).toMatchObject(expected);
	});

	test.each([
		[{ rotary_pct: 0.1 }, 'rotary_pct'],
		[{ rotary_pct: 0.4 }, 'rotary_pct'],
		[{ rotary_pct: 2 }, 'rotary_pct'],
		[{ rotary_pct: 0.5, partial_rotary_factor: 0.25 }, 'rotary_pct'],
		[{ rotary_emb_base: 1000, rope_theta: 2000 }, 'rotary_emb_base'],
		[{ rope_theta: 2000 }, 'rope_theta'],
		[{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
		[
			{ rotary_pct: 0.5, rope_parameters: { partial_rotary_factor: 0.25 } },
			'rope_parameters: partial_rotary_factor',
		],
		[{ hidden_act: 'relu' }, 'hidden_act'],
	])('%j is refused at its place', (change, place) => {
		const error = thrownBy(() => parse({ ...neox, ...change }));
		expect(error).toMatchObject({ code: 'MODEL_CONFIG', place: `config.json: ${place}` });
	});
});
