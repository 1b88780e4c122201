import { parseDimensions, parseVocabulary } from '../../formats/huggingface/common-config.ts';
import {
	foreignConfigKeys,
	neutralConfigKeys,
	vocabularyConfigKeys,
} from '../../formats/huggingface/config-keys.ts';
import type { Fields } from '../../formats/huggingface/fields.ts';
import { parseQuantization } from '../../formats/huggingface/quantization-config.ts';
import { keyTable } from '../../formats/known-keys.ts';
import type { Block } from '../../layers/block.ts';
import { type GeluVariant, parseGelu } from '../activation-names.ts';
import type { Family } from '../family.ts';
import type { ModelConfig } from '../model.ts';
import type { Placement } from '../placement.ts';
import { outputMatrix, type TransformerWeights } from '../transformer.ts';

/** GPT-2's shape with one head of keys and values for all (Allal et al. 2023). */
interface GptBigCodeConfig extends ModelConfig {
	readonly layerNormEpsilon: number;
	readonly activation: GeluVariant;
}

const sizes = { hidden: 'n_embd', heads: 'n_head', layers: 'n_layer' };

const keys = keyTable({
	used: [
		...vocabularyConfigKeys,
		...Object.values(sizes),
		...['n_inner', 'n_positions', 'layer_norm_epsilon', 'activation_function', 'tie_word_embeddings'],
	],
	neutral: [
		...neutralConfigKeys,
		// dropout of the base's own training; precision of a softmax that is computed in float32 here
		...['attn_pdrop', 'embd_pdrop', 'resid_pdrop', 'attention_softmax_in_fp32'],
		...['scale_attention_softmax_in_fp32', 'head_dim'],
		// of an inference server, and of a head for multiple choice
		...['inference_runner', 'max_batch_size', 'pad_key_length', 'pre_allocate_kv_cache'],
		...['validate_runner_input', 'summary_activation', 'summary_first_dropout', 'summary_proj_to_labels'],
		...['summary_type', 'summary_use_proj'],
	],
	off: foreignConfigKeys,
	only: { multi_query: [true], scale_attn_weights: [true], num_key_value_heads: [1] },
});

function parse(fields: Fields): GptBigCodeConfig {
	const dimensions = parseDimensions(fields, sizes);
	return {
		architecture: 'gpt_bigcode',
		causal: true,
		...dimensions,
		...parseVocabulary(fields),
		keyValueHeads: 1,
		intermediateSize: fields.size('n_inner', { default: 4 * dimensions.hiddenSize }),
		maxPositions: fields.size('n_positions', { default: 1024 }),
		languageHead: fields.flag('tie_word_embeddings', true) ? 'tied' : 'own',
		layerNormEpsilon: fields.positive('layer_norm_epsilon', 1e-5),
		activation: parseGelu(fields, 'activation_function', 'gelu_pytorch_tanh'),
		quantization: parseQuantization(fields),
	};
}

function weights(config: GptBigCodeConfig, place: Placement): TransformerWeights {
	const { hiddenSize, intermediateSize, heads, headDim, vocabularySize, maxPositions } = config;
	const norm = (name: string) => place.layerNorm(name, hiddenSize, config.layerNormEpsilon);
	const linear = (name: string, outputs: number, inputs: number, writesResidual = false) =>
		place.linear(name, outputs, inputs, { bias: true, writesResidual });
	const tokens = place.table('transformer.wte', vocabularySize, hiddenSize);
	const positions = place.table('transformer.wpe', maxPositions, hiddenSize);
	const block = (index: number): Block => {
		const name = `transformer.h.${index}`;
		return {
			order: 'preNorm',
			attentionNorm: norm(`${name}.ln_1`),
			attention: {
				projection: { fused: linear(`${name}.attn.c_attn`, (heads + 2) * headDim, hiddenSize) },
				output: linear(`${name}.attn.c_proj`, hiddenSize, hiddenSize, true),
				shape: { heads, keyValueHeads: 1, headDim, causal: true, scale: 1 / Math.sqrt(headDim) },
			},
			mlpNorm: norm(`${name}.ln_2`),
			mlp: {
				kind: 'plain',
				up: linear(`${name}.mlp.c_fc`, intermediateSize, hiddenSize),
				down: linear(`${name}.mlp.c_proj`, hiddenSize, intermediateSize, true),
				activation: config.activation,
			},
		};
	};
	return {
		embeddings: { tokens, positions },
		blocks: Array.from({ length: config.layers }, (_, index) => block(index)),
		finalNorm: norm('transformer.ln_f'),
		outputMatrix: outputMatrix(config, place, tokens, 'lm_head'),
	};
}

/** StarCoder, SantaCoder, WizardCoder-15B. */
export const gptBigCode: Family<GptBigCodeConfig> = {
	name: 'gpt_bigcode',
	modelTypes: ['gpt_bigcode'],
	keys,
	parse,
	weights,
	unread: [/\.attn\.(bias|masked_bias)$/],
};
