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
import { inverseFrequencies } from '../../layers/rope-table.ts';
import { type GeluVariant, parseGelu } from '../activation-names.ts';
import type { Family } from '../family.ts';
import type { ModelConfig } from '../model.ts';
import type { Placement } from '../placement.ts';
import { checkRotaryHeads } from '../rotary-heads.ts';
import type { TransformerWeights } from '../transformer.ts';

/** An encoder whose layers see the whole text or a stretch of it, each kind with its own angles (Warner et al. 2024). */
interface ModernBertConfig extends ModelConfig {
	readonly normEpsilon: number;
	readonly activation: GeluVariant;
	readonly normBias: boolean;
	readonly attentionBias: boolean;
	readonly mlpBias: boolean;
	/** Of each layer, whether it sees a stretch of the text alone. */
	readonly isLocal: readonly boolean[];
	/** How far such a layer's tokens see on both sides, themselves included. */
	readonly window: number;
	readonly globalTheta: number;
	readonly localTheta: number;
}

const sizes = { hidden: 'hidden_size', heads: 'num_attention_heads', layers: 'num_hidden_layers' };

const keys = keyTable({
	used: [
		...vocabularyConfigKeys,
		...Object.values(sizes),
		...['intermediate_size', 'max_position_embeddings', 'norm_eps', 'hidden_activation'],
		...['norm_bias', 'attention_bias', 'mlp_bias', 'layer_types', 'global_attn_every_n_layers'],
		...['local_attention', 'rope_parameters', 'global_rope_theta', 'local_rope_theta'],
	],
	neutral: [
		...neutralConfigKeys,
		// dropout of the base's own training; heads of tasks, and that for masked words
		...['embedding_dropout', 'mlp_dropout', 'classifier_pooling', 'classifier_bias', 'classifier_activation'],
		...['decoder_bias', 'tie_word_embeddings', 'sparse_prediction', 'sparse_pred_ignore_index'],
		// how it was initialised, and how it is computed
		...['initializer_cutoff_factor', 'deterministic_flash_attn', 'reference_compile'],
		...['repad_logits_with_grad'],
		// in the published files, of BERT's, and read by no version of it
		...['layer_norm_eps', 'position_embedding_type'],
	],
	off: [...foreignConfigKeys, 'rope_scaling'],
	only: { is_decoder: [false] },
});

function parse(fields: Fields): ModernBertConfig {
	const dimensions = parseDimensions(fields, sizes);
	checkRotaryHeads(fields, dimensions);
	return {
		architecture: 'modernbert',
		causal: false,
		...dimensions,
		...parseVocabulary(fields),
		keyValueHeads: dimensions.heads,
		intermediateSize: fields.size('intermediate_size', { default: 1152 }),
		maxPositions: fields.size('max_position_embeddings', { default: 8192 }),
		languageHead: 'absent',
		normEpsilon: fields.positive('norm_eps', 1e-5),
		activation: parseGelu(fields, 'hidden_activation', 'gelu'),
		normBias: fields.flag('norm_bias', false),
		attentionBias: fields.flag('attention_bias', false),
		mlpBias: fields.flag('mlp_bias', false),
		isLocal: parseLayers(fields, dimensions.layers),
		window: Math.floor(fields.size('local_attention', { default: 128 }) / 2) + 1,
		globalTheta: parseTheta(fields, 'full_attention', 'global_rope_theta', 160_000),
		localTheta: parseTheta(fields, 'sliding_attention', 'local_rope_theta', 10_000),
		quantization: parseQuantization(fields),
	};
}

/** Which layers are local: by a list (transformers 5), or all but every n-th from the first on. */
function parseLayers(fields: Fields, layers: number): readonly boolean[] {
	const every = fields.size('global_attn_every_n_layers', { default: 3 });
	const types = fields.raw('layer_types');
	if (types === undefined) return Array.from({ length: layers }, (_, layer) => layer % every !== 0);
	const known = ['full_attention', 'sliding_attention'];
	if (Array.isArray(types) && types.length === layers && types.every((type) => known.includes(type))) {
		return types.map((type) => type === 'sliding_attention');
	}
	throw fields.error('layer_types', `a list of ${layers} times ${known.join(' or ')} is expected`);
}

const ropeTable = keyTable({ used: ['rope_theta'], neutral: [], only: { rope_type: ['default'] } });
const ropeParameters = keyTable({ used: ['full_attention', 'sliding_attention'], neutral: [] });

/** The base of the angles of one kind of layers, in either style; where a file has both, they must agree. */
function parseTheta(fields: Fields, kind: string, older: string, otherwise: number): number {
	const parameters = fields.object('rope_parameters');
	parameters?.refuseOthers(ropeParameters);
	const own = parameters?.object(kind);
	own?.refuseOthers(ropeTable);
	const theta = own?.has('rope_theta') === true ? own.positive('rope_theta') : undefined;
	const outside = fields.positive(older, theta ?? otherwise);
	if (theta === undefined || theta === outside) return outside;
	throw fields.error(older, `rope_parameters: ${kind}: rope_theta says ${theta}`);
}

function weights(config: ModernBertConfig, place: Placement): TransformerWeights {
	const { hiddenSize, intermediateSize, heads, headDim, attentionBias, mlpBias, window } = config;
	const norm = (name: string) =>
		place.layerNorm(name, hiddenSize, config.normEpsilon, { bias: config.normBias });
	const tokens = place.table('model.embeddings.tok_embeddings', config.vocabularySize, hiddenSize);
	const embeddingsNorm = norm('model.embeddings.norm');
	const block = (isLocal: boolean, index: number): Block => {
		const name = `model.layers.${index}`;
		const linear = (part: string, outputs: number, inputs: number, bias: boolean, writesResidual = false) =>
			place.linear(`${name}.${part}`, outputs, inputs, { bias, writesResidual });
		return {
			order: 'preNorm',
			// what enters the first block was normalised as an embedding
			attentionNorm: index === 0 ? undefined : norm(`${name}.attn_norm`),
			attention: {
				projection: { stacked: linear('attn.Wqkv', 3 * hiddenSize, hiddenSize, attentionBias) },
				turnedBy: isLocal ? 1 : 0,
				output: linear('attn.Wo', hiddenSize, hiddenSize, attentionBias, true),
				shape: {
					...{ heads, keyValueHeads: heads, headDim, causal: false, scale: 1 / Math.sqrt(headDim) },
					window: isLocal ? window : undefined,
				},
			},
			mlpNorm: norm(`${name}.mlp_norm`),
			mlp: {
				kind: 'gatedHalves',
				halves: linear('mlp.Wi', 2 * intermediateSize, hiddenSize, mlpBias),
				down: linear('mlp.Wo', hiddenSize, intermediateSize, mlpBias, true),
				activation: config.activation,
			},
		};
	};
	return {
		embeddings: { tokens, norm: embeddingsNorm },
		blocks: config.isLocal.map(block),
		finalNorm: norm('model.final_norm'),
		outputMatrix: undefined,
	};
}

/** ModernBERT: without the head for masked words. */
export const modernBert: Family<ModernBertConfig> = {
	name: 'modernbert',
	modelTypes: ['modernbert'],
	keys,
	parse,
	weights,
	frequencies: ({ headDim, globalTheta, localTheta }) =>
		[globalTheta, localTheta].map((theta) => inverseFrequencies(headDim, theta, { type: 'none' })),
	unread: [/^(head|decoder|classifier)\./, /\.rotary_emb\./],
};
