import { parseCommon } from '../../formats/huggingface/common-config.ts';
import {
	commonConfigKeys,
	foreignConfigKeys,
	neutralConfigKeys,
} from '../../formats/huggingface/config-keys.ts';
import type { Fields } from '../../formats/huggingface/fields.ts';
import { parseQuantization } from '../../formats/huggingface/quantization-config.ts';
import { parseRope, type RopeConfig, ropeConfigKeys } from '../../formats/huggingface/rope-scaling.ts';
import { keyTable } from '../../formats/known-keys.ts';
import type { Block } from '../../layers/block.ts';
import { inverseFrequencies } from '../../layers/rope-table.ts';
import { type GeluVariant, parseGelu } from '../activation-names.ts';
import type { Family } from '../family.ts';
import { parseWindow } from '../layer-windows.ts';
import type { ModelConfig } from '../model.ts';
import type { Placement } from '../placement.ts';
import { checkRotaryHeads } from '../rotary-heads.ts';
import { outputMatrix, type TransformerWeights } from '../transformer.ts';

/** Rotary positions, grouped-query attention in a window, LayerNorm, a plain network (Lozhkov et al. 2024). */
interface Starcoder2Config extends ModelConfig, RopeConfig {
	readonly layerNormEpsilon: number;
	readonly activation: GeluVariant;
	/** Biases on every matrix of a block. */
	readonly bias: boolean;
	readonly window: number | undefined;
}

const keys = keyTable({
	used: [
		...commonConfigKeys,
		...ropeConfigKeys,
		...['hidden_act', 'layer_norm_epsilon', 'norm_epsilon', 'sliding_window', 'use_bias'],
	],
	neutral: [
		...neutralConfigKeys,
		// dropout of the base's own training; precision of a softmax that is computed in float32 here
		...['embedding_dropout', 'residual_dropout', 'attention_softmax_in_fp32'],
		'scale_attention_softmax_in_fp32',
	],
	off: foreignConfigKeys,
	only: { is_causal: [true], mlp_type: ['default'], norm_type: ['layer_norm'], scale_attn_weights: [true] },
});

function parse(fields: Fields): Starcoder2Config {
	const common = parseCommon(fields, fields.isNull('num_key_value_heads') ? undefined : 2);
	checkRotaryHeads(fields, common);
	const layerNormEpsilon = fields.positive('norm_epsilon', 1e-5);
	// the published files have it under both names, of which transformers reads one
	if (fields.positive('layer_norm_epsilon', layerNormEpsilon) !== layerNormEpsilon) {
		throw fields.error('layer_norm_epsilon', `norm_epsilon says ${layerNormEpsilon}`);
	}
	return {
		architecture: 'starcoder2',
		causal: true,
		...common,
		...parseRope(fields, 4096),
		languageHead: fields.flag('tie_word_embeddings', true) ? 'tied' : 'own',
		layerNormEpsilon,
		activation: parseGelu(fields, 'hidden_act', 'gelu_pytorch_tanh'),
		bias: fields.flag('use_bias', true),
		window: parseWindow(fields, undefined),
		quantization: parseQuantization(fields),
	};
}

function weights(config: Starcoder2Config, place: Placement): TransformerWeights {
	const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, vocabularySize, bias, window } =
		config;
	const norm = (name: string) => place.layerNorm(name, hiddenSize, config.layerNormEpsilon);
	const linear = (name: string, outputs: number, inputs: number, writesResidual = false) =>
		place.linear(name, outputs, inputs, { bias, writesResidual });
	const tokens = place.table('model.embed_tokens', vocabularySize, hiddenSize);
	const block = (index: number): Block => {
		const name = `model.layers.${index}`;
		return {
			order: 'preNorm',
			attentionNorm: norm(`${name}.input_layernorm`),
			attention: {
				projection: {
					query: linear(`${name}.self_attn.q_proj`, heads * headDim, hiddenSize),
					key: linear(`${name}.self_attn.k_proj`, keyValueHeads * headDim, hiddenSize),
					value: linear(`${name}.self_attn.v_proj`, keyValueHeads * headDim, hiddenSize),
					rotary: true,
				},
				output: linear(`${name}.self_attn.o_proj`, hiddenSize, heads * headDim, true),
				shape: { heads, keyValueHeads, headDim, causal: true, window, scale: 1 / Math.sqrt(headDim) },
			},
			mlpNorm: norm(`${name}.post_attention_layernorm`),
			mlp: {
				kind: 'plain',
				up: linear(`${name}.mlp.c_fc`, intermediateSize, hiddenSize),
				down: linear(`${name}.mlp.c_proj`, hiddenSize, intermediateSize, true),
				activation: config.activation,
			},
		};
	};
	return {
		embeddings: { tokens },
		blocks: Array.from({ length: config.layers }, (_, index) => block(index)),
		finalNorm: norm('model.norm'),
		outputMatrix: outputMatrix(config, place, tokens, 'lm_head'),
	};
}

/** StarCoder2. */
export const starcoder2: Family<Starcoder2Config> = {
	name: 'starcoder2',
	modelTypes: ['starcoder2'],
	keys,
	parse,
	weights,
	frequencies: ({ headDim, ropeTheta, ropeScaling }) => [inverseFrequencies(headDim, ropeTheta, ropeScaling)],
	unread: [/\.rotary_emb\.inv_freq$/],
};
