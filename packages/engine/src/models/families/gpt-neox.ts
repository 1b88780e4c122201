import { parseDimensions, parseVocabulary } from '../../formats/huggingface/common-config.ts';
import {
	foreignConfigKeys,
	neutralConfigKeys,
	vocabularyConfigKeys,
} from '../../formats/huggingface/config-keys.ts';
import type { Fields } from '../../formats/huggingface/fields.ts';
import { parseQuantization } from '../../formats/huggingface/quantization-config.ts';
import { parseRope, type RopeConfig, ropeConfigKeys } from '../../formats/huggingface/rope-scaling.ts';
import { keyTable } from '../../formats/known-keys.ts';
import type { Block } from '../../layers/block.ts';
import { inverseFrequencies } from '../../layers/rope-table.ts';
import { type GeluVariant, parseGelu } from '../activation-names.ts';
import type { Family } from '../family.ts';
import type { ModelConfig } from '../model.ts';
import type { Placement } from '../placement.ts';
import { turnedElements } from '../rotary-heads.ts';
import { outputMatrix, type TransformerWeights } from '../transformer.ts';

/** Attention and network side by side, a part of each head turned (Black et al. 2022). */
interface GptNeoxConfig extends ModelConfig, RopeConfig {
	readonly layerNormEpsilon: number;
	readonly activation: GeluVariant;
	/** Biases on the matrices of attention. */
	readonly attentionBias: boolean;
	readonly isParallel: boolean;
	/** Elements of a head that are turned. */
	readonly turned: number;
}

const sizes = { hidden: 'hidden_size', heads: 'num_attention_heads', layers: 'num_hidden_layers' };

const keys = keyTable({
	used: [
		...vocabularyConfigKeys,
		...ropeConfigKeys,
		...Object.values(sizes),
		...[
			'attention_bias',
			'hidden_act',
			'intermediate_size',
			'layer_norm_eps',
			'rotary_emb_base',
			'rotary_pct',
		],
		...['tie_word_embeddings', 'use_parallel_residual'],
	],
	// dropout of the base's own training; the first file, of GPT-NeoX-20B, names it as BERT does
	neutral: [...neutralConfigKeys, 'hidden_dropout', 'attention_probs_dropout_prob', 'hidden_dropout_prob'],
	off: foreignConfigKeys,
	only: { is_causal: [true] },
});

function parse(fields: Fields): GptNeoxConfig {
	const dimensions = parseDimensions(fields, sizes);
	const rope = parseRope(fields, 2048, {
		theta: oneOf(fields, 'rotary_emb_base', 'rope_theta', 10_000),
		share: { name: oneOf(fields, 'rotary_pct', 'partial_rotary_factor', 0.25), otherwise: 0.25 },
	});
	return {
		architecture: 'gpt_neox',
		causal: true,
		...dimensions,
		...parseVocabulary(fields),
		...rope,
		keyValueHeads: dimensions.heads,
		intermediateSize: fields.size('intermediate_size', { default: 24_576 }),
		languageHead: fields.flag('tie_word_embeddings', false) ? 'tied' : 'own',
		layerNormEpsilon: fields.positive('layer_norm_eps', 1e-5),
		activation: parseGelu(fields, 'hidden_act', 'gelu'),
		attentionBias: fields.flag('attention_bias', true),
		isParallel: fields.flag('use_parallel_residual', true),
		turned: turnedElements(fields, 'rotary_pct', { ...dimensions, ...rope }),
		quantization: parseQuantization(fields),
	};
}

/**
 * The name under which a setting is read: the older one where a file has it, with which the newer one must agree. The newer one alone is
 * read by transformers 4 and ignored by 5, which takes `otherwise`: any other value would be two models.
 */
function oneOf(fields: Fields, older: string, newer: string, otherwise: number): string {
	if (!fields.has(older)) {
		if ((fields.raw(newer) ?? otherwise) === otherwise) return newer;
		throw fields.error(
			newer,
			`${older} is expected beside it: without, versions of transformers read two models`,
		);
	}
	if (fields.has(newer) && fields.raw(newer) !== fields.raw(older)) {
		throw fields.error(older, `${newer} says ${JSON.stringify(fields.raw(newer))}`);
	}
	return older;
}

function weights(config: GptNeoxConfig, place: Placement): TransformerWeights {
	const { hiddenSize, intermediateSize, heads, headDim, vocabularySize } = config;
	const norm = (name: string) => place.layerNorm(name, hiddenSize, config.layerNormEpsilon);
	const tokens = place.table('gpt_neox.embed_in', vocabularySize, hiddenSize);
	const block = (index: number): Block => {
		const name = `gpt_neox.layers.${index}`;
		const linear = (part: string, outputs: number, inputs: number, bias: boolean, writesResidual: boolean) =>
			place.linear(`${name}.${part}`, outputs, inputs, { bias, writesResidual });
		const { attentionBias } = config;
		return {
			order: config.isParallel ? 'parallel' : 'preNorm',
			attentionNorm: norm(`${name}.input_layernorm`),
			attention: {
				projection: {
					interleaved: linear('attention.query_key_value', 3 * hiddenSize, hiddenSize, attentionBias, false),
				},
				output: linear('attention.dense', hiddenSize, hiddenSize, attentionBias, true),
				shape: { heads, keyValueHeads: heads, headDim, causal: true, scale: 1 / Math.sqrt(headDim) },
			},
			mlpNorm: norm(`${name}.post_attention_layernorm`),
			mlp: {
				kind: 'plain',
				up: linear('mlp.dense_h_to_4h', intermediateSize, hiddenSize, true, false),
				down: linear('mlp.dense_4h_to_h', hiddenSize, intermediateSize, true, true),
				activation: config.activation,
			},
		};
	};
	return {
		embeddings: { tokens },
		blocks: Array.from({ length: config.layers }, (_, index) => block(index)),
		finalNorm: norm('gpt_neox.final_layer_norm'),
		outputMatrix: outputMatrix(config, place, tokens, 'embed_out'),
	};
}

/** GPT-NeoX, Pythia. */
export const gptNeox: Family<GptNeoxConfig> = {
	name: 'gpt_neox',
	modelTypes: ['gpt_neox'],
	keys,
	parse,
	weights,
	frequencies: ({ turned, ropeTheta, ropeScaling }) => [inverseFrequencies(turned, ropeTheta, ropeScaling)],
	unread: [/\.attention\.(bias|masked_bias)$/, /\.rotary_emb\.inv_freq$/],
};
