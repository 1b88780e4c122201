import { parseCommon } from '../formats/huggingface/common-config.ts';
import {
	commonConfigKeys,
	foreignConfigKeys,
	neutralConfigKeys,
} from '../formats/huggingface/config-keys.ts';
import type { Fields } from '../formats/huggingface/fields.ts';
import { parseQuantization } from '../formats/huggingface/quantization-config.ts';
import { parseRope, type RopeConfig, ropeConfigKeys } from '../formats/huggingface/rope-scaling.ts';
import type { Block } from '../layers/block.ts';
import { inverseFrequencies } from '../layers/rope-table.ts';
import { checkSilu } from './activation-names.ts';
import type { Family } from './family.ts';
import type { LayerWindows } from './layer-windows.ts';
import type { ModelConfig } from './model.ts';
import type { Placement } from './placement.ts';
import { checkRotaryHeads } from './rotary-heads.ts';
import { outputMatrix, type TransformerWeights } from './transformer.ts';

/** A model of Llama's shape: RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
export interface GatedDecoderConfig extends ModelConfig, RopeConfig {
	readonly rmsNormEpsilon: number;
	/** Biases on q, k and v, and on o. */
	readonly attentionBias: { readonly inputs: boolean; readonly output: boolean };
	/** Biases on gate, up and down. */
	readonly mlpBias: boolean;
	/** Whether each head's queries and keys have norms of their own. */
	readonly headNorms: boolean;
	readonly windows: LayerWindows;
}

/** The keys of config.json that all models of this shape have. */
export const gatedDecoderKeys = {
	used: [
		...commonConfigKeys,
		...ropeConfigKeys,
		'hidden_act',
		'layer_types',
		'rms_norm_eps',
		'sliding_window',
	],
	neutral: neutralConfigKeys,
	off: foreignConfigKeys,
	only: { is_causal: [true] },
} as const;

/** Reads what they share; where the model types differ when config.json leaves a field out stands in `defaults`. */
export function parseGatedDecoder(
	fields: Fields,
	defaults: {
		readonly keyValueHeads?: number;
		readonly maxPositions: number;
		readonly headDim?: number;
	},
): Omit<GatedDecoderConfig, 'architecture' | 'attentionBias' | 'mlpBias' | 'headNorms' | 'windows'> {
	const keyValueHeads = fields.isNull('num_key_value_heads') ? undefined : defaults.keyValueHeads;
	const common = parseCommon(fields, keyValueHeads, defaults.headDim);
	const rope = parseRope(fields, defaults.maxPositions);
	checkSilu(fields, 'hidden_act');
	checkRotaryHeads(fields, common);
	return {
		causal: true,
		...common,
		...rope,
		rmsNormEpsilon: fields.positive('rms_norm_eps', 1e-6),
		quantization: parseQuantization(fields),
	};
}

function gatedDecoderWeights(config: GatedDecoderConfig, place: Placement): TransformerWeights {
	const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, vocabularySize } = config;
	const tokens = place.table('model.embed_tokens', vocabularySize, hiddenSize);
	const scale = 1 / Math.sqrt(headDim);
	const block = (index: number): Block => {
		const name = `model.layers.${index}`;
		const norm = (part: string) => place.rmsNorm(`${name}.${part}`, hiddenSize, config.rmsNormEpsilon);
		const projection = (part: string, outputs: number) =>
			place.linear(`${name}.self_attn.${part}`, outputs, hiddenSize, { bias: config.attentionBias.inputs });
		const headNorm = (part: string) =>
			place.rmsNorm(`${name}.self_attn.${part}`, headDim, config.rmsNormEpsilon);
		const mlp = (part: string, outputs: number, inputs: number, writesResidual = false) =>
			place.linear(`${name}.mlp.${part}`, outputs, inputs, { bias: config.mlpBias, writesResidual });
		return {
			order: 'preNorm',
			attentionNorm: norm('input_layernorm'),
			attention: {
				projection: {
					query: projection('q_proj', heads * headDim),
					key: projection('k_proj', keyValueHeads * headDim),
					value: projection('v_proj', keyValueHeads * headDim),
					rotary: true,
					headNorms: config.headNorms ? { query: headNorm('q_norm'), key: headNorm('k_norm') } : undefined,
				},
				output: place.linear(`${name}.self_attn.o_proj`, hiddenSize, heads * headDim, {
					bias: config.attentionBias.output,
					writesResidual: true,
				}),
				shape: { heads, keyValueHeads, headDim, causal: true, window: config.windows[index], scale },
			},
			mlpNorm: norm('post_attention_layernorm'),
			mlp: {
				kind: 'gated',
				gate: mlp('gate_proj', intermediateSize, hiddenSize),
				up: mlp('up_proj', intermediateSize, hiddenSize),
				down: mlp('down_proj', hiddenSize, intermediateSize, true),
			},
		};
	};
	return {
		embeddings: { tokens },
		blocks: Array.from({ length: config.layers }, (_, index) => block(index)),
		finalNorm: place.rmsNorm('model.norm', hiddenSize, config.rmsNormEpsilon),
		outputMatrix: outputMatrix(config, place, tokens, 'lm_head'),
	};
}

/** What a family of this shape has besides its name, its keys and how its config is read. */
export const gatedDecoder: Pick<Family<GatedDecoderConfig>, 'weights' | 'frequencies' | 'unread'> = {
	weights: gatedDecoderWeights,
	frequencies: ({ headDim, ropeTheta, ropeScaling }) => [inverseFrequencies(headDim, ropeTheta, ropeScaling)],
	unread: [/\.rotary_emb\.inv_freq$/, /^qa_outputs\./],
};
