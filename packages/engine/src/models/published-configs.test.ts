import { describe, expect, test } from 'vitest';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { expectedTensors } from './families.ts';
import { parseModelConfig } from './model-config.ts';

/**
 * What the published config.json files of code models say. The sizes have a check of their own: the weights that they call for must be as
 * many as the publisher counts.
 */

const llama = {
	...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_act: 'silu', bos_token_id: 1 },
	...{ eos_token_id: 2, initializer_range: 0.02, pretraining_tp: 1, rope_scaling: null, use_cache: true },
	...{ tie_word_embeddings: false, rms_norm_eps: 1e-5, max_position_embeddings: 16_384 },
};
const codeLlama = { ...llama, rope_theta: 1_000_000, vocab_size: 32_016, torch_dtype: 'bfloat16' };
const deepseekCoder = {
	...{ ...llama, bos_token_id: 32_013, eos_token_id: 32_014, rms_norm_eps: 1e-6, rope_theta: 100_000 },
	...{ rope_scaling: { factor: 4, type: 'linear' }, vocab_size: 32_256, attention_bias: false },
};
const qwen25Coder = {
	...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', attention_dropout: 0, hidden_act: 'silu' },
	...{ bos_token_id: 151_643, eos_token_id: 151_643, initializer_range: 0.02, rms_norm_eps: 1e-6 },
	...{ max_position_embeddings: 32_768, rope_theta: 1_000_000, use_mrope: false, use_cache: true },
	...{ use_sliding_window: false, sliding_window: 131_072, torch_dtype: 'bfloat16' },
};
const qwen3 = {
	...{ ...qwen25Coder, architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3', attention_bias: false },
	...{ eos_token_id: 151_645, head_dim: 128, num_key_value_heads: 8, sliding_window: null },
	...{ max_position_embeddings: 40_960, rope_scaling: null, vocab_size: 151_936 },
};
const mistral = {
	...{ architectures: ['MistralForCausalLM'], model_type: 'mistral', bos_token_id: 1, eos_token_id: 2 },
	...{ attention_dropout: 0, hidden_act: 'silu', initializer_range: 0.02, max_position_embeddings: 32_768 },
	...{ num_key_value_heads: 8, rms_norm_eps: 1e-5, tie_word_embeddings: false, torch_dtype: 'bfloat16' },
};
const starcoder2 = {
	...{ architectures: ['Starcoder2ForCausalLM'], model_type: 'starcoder2', attention_dropout: 0.1 },
	...{ attention_softmax_in_fp32: true, bos_token_id: 0, embedding_dropout: 0.1, eos_token_id: 0 },
	...{ hidden_act: 'gelu_pytorch_tanh', layer_norm_epsilon: 1e-5, max_position_embeddings: 16_384 },
	...{ mlp_type: 'default', norm_epsilon: 1e-5, norm_type: 'layer_norm', residual_dropout: 0.1 },
	...{ scale_attention_softmax_in_fp32: true, scale_attn_weights: true, sliding_window: 4096 },
	...{ num_key_value_heads: 4, use_bias: true, use_cache: true, vocab_size: 49_152 },
};
const starcoder = {
	...{ architectures: ['GPTBigCodeForCausalLM'], model_type: 'gpt_bigcode', activation_function: 'gelu' },
	...{ attention_softmax_in_fp32: true, attn_pdrop: 0.1, bos_token_id: 0, embd_pdrop: 0.1, eos_token_id: 0 },
	...{ inference_runner: 0, initializer_range: 0.02, layer_norm_epsilon: 1e-5, max_batch_size: null },
	...{ max_sequence_length: null, multi_query: true, pad_key_length: true, pre_allocate_kv_cache: false },
	...{ resid_pdrop: 0.1, scale_attention_softmax_in_fp32: true, scale_attn_weights: true },
	...{ summary_activation: null, summary_first_dropout: 0.1, summary_proj_to_labels: true },
	...{ summary_type: 'cls_index', summary_use_proj: true, use_cache: true, validate_runner_input: true },
	...{ n_embd: 6144, n_head: 48, n_inner: 24_576, n_layer: 40, n_positions: 8192 },
};
const pythia = {
	...{ architectures: ['GPTNeoXForCausalLM'], model_type: 'gpt_neox', bos_token_id: 0, eos_token_id: 0 },
	...{ hidden_act: 'gelu', initializer_range: 0.02, layer_norm_eps: 1e-5, max_position_embeddings: 2048 },
	...{ rotary_emb_base: 10_000, rotary_pct: 0.25, tie_word_embeddings: false, torch_dtype: 'float16' },
	...{ use_cache: true, use_parallel_residual: true },
};
const roberta = {
	...{ model_type: 'roberta', attention_probs_dropout_prob: 0.1, bos_token_id: 0, eos_token_id: 2 },
	...{ hidden_act: 'gelu', hidden_dropout_prob: 0.1, initializer_range: 0.02, layer_norm_eps: 1e-5 },
	...{ pad_token_id: 1, type_vocab_size: 1, vocab_size: 50_265, max_position_embeddings: 514 },
};
const modernBert = {
	...{ architectures: ['ModernBertForMaskedLM'], model_type: 'modernbert', hidden_activation: 'gelu' },
	...{ vocab_size: 50_368, max_position_embeddings: 8192, norm_eps: 1e-5, norm_bias: false },
	...{ attention_bias: false, attention_dropout: 0, mlp_bias: false, mlp_dropout: 0, local_attention: 128 },
	...{ global_attn_every_n_layers: 3, global_rope_theta: 160_000, local_rope_theta: 10_000 },
	...{ embedding_dropout: 0, gradient_checkpointing: false, initializer_cutoff_factor: 2 },
	...{ layer_norm_eps: 1e-5, bos_token_id: 50_281, eos_token_id: 50_282, pad_token_id: 50_283 },
	...{ classifier_activation: 'gelu', classifier_bias: false, classifier_dropout: 0, decoder_bias: true },
	...{ classifier_pooling: 'mean', deterministic_flash_attn: false, position_embedding_type: 'absolute' },
	...{ sparse_pred_ignore_index: -100, sparse_prediction: false, reference_compile: null },
};

/** Hidden size, feed-forward size, layers, heads. */
const sizes = (hidden: number, intermediate: number, layers: number, heads: number) => ({
	...{ hidden_size: hidden, intermediate_size: intermediate },
	...{ num_hidden_layers: layers, num_attention_heads: heads },
});
const tied = { tie_word_embeddings: true, vocab_size: 151_936 };
const own = { tie_word_embeddings: false, vocab_size: 152_064 };
const grouped = (keyValueHeads: number) => ({ num_key_value_heads: keyValueHeads });

const longRope = { ropeTheta: 1_000_000, ropeScaling: { type: 'none' }, maxPositions: 16_384 };
const linearRope = { ropeTheta: 100_000, ropeScaling: { type: 'linear', factor: 4 }, maxPositions: 16_384 };
const windows = (layers: number, window: number | undefined) => Array(layers).fill(window);
const bigCode = { architecture: 'gpt_bigcode', keyValueHeads: 1, maxPositions: 8192 };

/** Name, what its file says, thousand millions of weights without the heads of tasks, and what is read of it. */
const models: readonly (readonly [string, object, number, object])[] = [
	['CodeLlama-7b-hf', { ...codeLlama, ...sizes(4096, 11_008, 32, 32), ...grouped(32) }, 6.74, longRope],
	['CodeLlama-13b-hf', { ...codeLlama, ...sizes(5120, 13_824, 40, 40), ...grouped(40) }, 13.02, longRope],
	[
		'CodeLlama-34b-hf',
		{ ...codeLlama, ...sizes(8192, 22_016, 48, 64), ...grouped(8), vocab_size: 32_000 },
		33.74,
		{ ...longRope, keyValueHeads: 8 },
	],
	[
		'WizardCoder-Python-13B-V1.0',
		{ ...codeLlama, ...sizes(5120, 13_824, 40, 40), pad_token_id: 0, vocab_size: 32_001 },
		13.02,
		{ ...longRope, keyValueHeads: 40, padTokenId: 0 },
	],
	['WizardCoder-15B-V1.0', { ...starcoder, vocab_size: 49_153, use_cache: false }, 15.52, bigCode],
	['starcoder', { ...starcoder, vocab_size: 49_152 }, 15.52, bigCode],
	['deepseek-coder-1.3b-base', { ...deepseekCoder, ...sizes(2048, 5504, 24, 16) }, 1.35, linearRope],
	['deepseek-coder-6.7b-base', { ...deepseekCoder, ...sizes(4096, 11_008, 32, 32) }, 6.74, linearRope],
	[
		'deepseek-coder-33b-base',
		{ ...deepseekCoder, ...sizes(7168, 19_200, 62, 56), ...grouped(8) },
		33.34,
		linearRope,
	],
	['Qwen2.5-Coder-0.5B', { ...qwen25Coder, ...sizes(896, 4864, 24, 14), ...grouped(2), ...tied }, 0.49, {}],
	['Qwen2.5-Coder-3B', { ...qwen25Coder, ...sizes(2048, 11_008, 36, 16), ...grouped(2), ...tied }, 3.09, {}],
	[
		'Qwen2.5-Coder-7B',
		{ ...qwen25Coder, ...sizes(3584, 18_944, 28, 28), ...grouped(4), ...own, max_window_layers: 28 },
		7.62,
		{ languageHead: 'own', attentionBias: { inputs: true, output: false }, windows: windows(28, undefined) },
	],
	['Qwen2.5-Coder-14B', { ...qwen25Coder, ...sizes(5120, 13_824, 48, 40), ...grouped(8), ...own }, 14.77, {}],
	[
		'Qwen2.5-Coder-32B',
		{ ...qwen25Coder, ...sizes(5120, 27_648, 64, 40), ...grouped(8), ...own, max_window_layers: 64 },
		32.76,
		{ maxPositions: 32_768 },
	],
	['Qwen3-1.7B', { ...qwen3, ...sizes(2048, 6144, 28, 16), tie_word_embeddings: true }, 1.72, {}],
	[
		'Qwen3-4B',
		{ ...qwen3, ...sizes(2560, 9728, 36, 32), tie_word_embeddings: true },
		4.02,
		{ headDim: 128, headNorms: true, languageHead: 'tied' },
	],
	['Qwen3-8B', { ...qwen3, ...sizes(4096, 12_288, 36, 32), tie_word_embeddings: false }, 8.19, {}],
	[
		'Mistral-7B-v0.3',
		{
			...{ ...mistral, ...sizes(4096, 14_336, 32, 32), rope_theta: 1_000_000 },
			...{ sliding_window: null, vocab_size: 32_768 },
		},
		7.25,
		{ ropeTheta: 1_000_000, windows: windows(32, undefined) },
	],
	[
		'starcoder2-7b',
		{ ...starcoder2, ...sizes(4608, 18_432, 32, 36), rope_theta: 1_000_000 },
		7.17,
		{ keyValueHeads: 4, headDim: 128, window: 4096, bias: true },
	],
	[
		'starcoder2-15b',
		{ ...starcoder2, ...sizes(6144, 24_576, 40, 48), rope_theta: 100_000, tie_word_embeddings: false },
		15.96,
		{ keyValueHeads: 4, headDim: 128, window: 4096 },
	],
	['pythia-1.4b', { ...pythia, ...sizes(2048, 8192, 24, 16), vocab_size: 50_304 }, 1.41, { turned: 32 }],
	['pythia-6.9b', { ...pythia, ...sizes(4096, 16_384, 32, 32), vocab_size: 50_432 }, 6.86, { turned: 32 }],
	['pythia-12b', { ...pythia, ...sizes(5120, 20_480, 36, 40), vocab_size: 50_688 }, 11.85, { turned: 32 }],
	[
		'LineVul on CodeBERT',
		{
			...{ ...roberta, ...sizes(768, 3072, 12, 12), architectures: ['RobertaForSequenceClassification'] },
			...{ num_labels: 1, problem_type: 'single_label_classification', torch_dtype: 'float32' },
		},
		0.12,
		{ causal: false, maxPositions: 512 },
	],
	[
		'unixcoder-base-nine',
		{
			...{ ...roberta, ...sizes(768, 3072, 12, 12), architectures: ['RobertaModel'], type_vocab_size: 10 },
			...{ max_position_embeddings: 1026, vocab_size: 51_451, output_past: true, use_cache: true },
			...{ gradient_checkpointing: false, position_embedding_type: 'absolute' },
		},
		0.13,
		{ maxPositions: 1024, tokenTypes: 10 },
	],
	['ModernBERT-large', { ...modernBert, ...sizes(1024, 2624, 28, 16) }, 0.39, { window: 65, causal: false }],
];

describe('the published config of', () => {
	test.each(models)('%s is read', (_, json, weights, expected) => {
		const config = parseModelConfig(json, 'config.json');
		expect(config).toMatchObject(expected);
		const counts = expectedTensors(config).map(({ shape }) => shape.reduce((size, one) => size * one, 1));
		expect(counts.reduce((sum, count) => sum + count, 0) / 1e9).toBeCloseTo(weights, 2);
	});

	const experts = { ...llama, ...sizes(2048, 10_944, 27, 16), vocab_size: 102_400 };
	test.each([
		['DeepSeek-Coder-V2-Lite-Base', { ...experts, model_type: 'deepseek_v2', n_routed_experts: 64 }],
		['Mixtral-8x7B-v0.1', { ...mistral, model_type: 'mixtral', num_local_experts: 8 }],
		['Qwen3-Coder-30B-A3B', { ...qwen3, model_type: 'qwen3_moe', num_experts: 128 }],
		['codegemma-7b', { ...llama, model_type: 'gemma', hidden_activation: 'gelu_pytorch_tanh' }],
		['codet5p-220m', { model_type: 't5', d_model: 768, is_encoder_decoder: true }],
	])('%s is refused by its type', (_, json) => {
		const error = thrownBy(() => parseModelConfig(json, 'config.json'));
		expect(error).toMatchObject({ code: 'MODEL_TYPE', place: 'config.json: model_type' });
	});

	test.each([
		['experts under a known type', { ...experts, num_local_experts: 8 }, 'num_local_experts'],
		['code of its own', { ...experts, auto_map: { AutoModel: 'modeling.Model' } }, 'auto_map'],
		[
			'positions of another kind',
			{ ...experts, rope_scaling: { type: 'longrope', factor: 4 } },
			'rope_scaling: type',
		],
	])('%s is refused at its place', (_, json, place) => {
		const error = thrownBy(() => parseModelConfig(json, 'config.json'));
		expect(error).toMatchObject({ code: 'MODEL_CONFIG', place: `config.json: ${place}` });
	});
});
