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
import { tensorRows } from '../../tensor/tensor.ts';
import { type GeluVariant, parseGelu } from '../activation-names.ts';
import type { Family } from '../family.ts';
import type { ModelConfig } from '../model.ts';
import type { Placement } from '../placement.ts';
import type { TransformerWeights } from '../transformer.ts';

/** The encoder that BERT (Devlin et al. 2019) and RoBERTa (Liu et al. 2019) share: learned positions, norms after the residual. */
export interface BertEncoderConfig extends ModelConfig {
	readonly layerNormEpsilon: number;
	readonly activation: GeluVariant;
	/** Row of the position table that is the first token's: behind the padding's in RoBERTa. */
	readonly firstPosition: number;
	readonly tokenTypes: number;
}

const sizes = { hidden: 'hidden_size', heads: 'num_attention_heads', layers: 'num_hidden_layers' };

const keys = keyTable({
	used: [
		...vocabularyConfigKeys,
		...Object.values(sizes),
		...['intermediate_size', 'max_position_embeddings', 'layer_norm_eps', 'hidden_act', 'type_vocab_size'],
	],
	neutral: [
		...neutralConfigKeys,
		// dropout of the base's own training; the head for masked words, which is not part of the base
		...['attention_probs_dropout_prob', 'hidden_dropout_prob', 'tie_word_embeddings', 'output_past'],
		// the pooler of BERT's own checkpoints, which is no part of the base either
		...['directionality', 'pooler_fc_size', 'pooler_num_attention_heads', 'pooler_num_fc_layers'],
		...['pooler_size_per_head', 'pooler_type'],
	],
	off: foreignConfigKeys,
	only: { position_embedding_type: ['absolute'], is_decoder: [false] },
});

function parse(
	fields: Fields,
	architecture: string,
	rowsBefore: (padTokenId: number | undefined) => number,
): BertEncoderConfig {
	const vocabulary = parseVocabulary(fields);
	const dimensions = parseDimensions(fields, sizes);
	const firstPosition = rowsBefore(vocabulary.padTokenId);
	const rows = fields.size('max_position_embeddings', { default: 512 });
	if (rows <= firstPosition) {
		throw fields.error('max_position_embeddings', `more than ${firstPosition} are expected, found ${rows}`);
	}
	return {
		architecture,
		causal: false,
		...dimensions,
		...vocabulary,
		keyValueHeads: dimensions.heads,
		intermediateSize: fields.size('intermediate_size'),
		maxPositions: rows - firstPosition,
		languageHead: 'absent',
		layerNormEpsilon: fields.positive('layer_norm_eps', 1e-12),
		activation: parseGelu(fields, 'hidden_act', 'gelu'),
		firstPosition,
		tokenTypes: fields.size('type_vocab_size', { default: 2 }),
		quantization: parseQuantization(fields),
	};
}

function weights(config: BertEncoderConfig, place: Placement): TransformerWeights {
	const { architecture: prefix, hiddenSize, intermediateSize, heads, headDim } = config;
	const { firstPosition, maxPositions } = config;
	const norm = (name: string) => place.layerNorm(name, hiddenSize, config.layerNormEpsilon);
	const linear = (name: string, outputs: number, inputs: number, writesResidual = false) =>
		place.linear(name, outputs, inputs, { bias: true, writesResidual });
	const table = (name: string, rows: number) =>
		place.table(`${prefix}.embeddings.${name}_embeddings`, rows, hiddenSize);
	const tokens = table('word', config.vocabularySize);
	const positions = table('position', firstPosition + maxPositions);
	const types = table('token_type', config.tokenTypes);
	const block = (index: number): Block => {
		const name = `${prefix}.encoder.layer.${index}`;
		const projection = (part: string) => linear(`${name}.attention.self.${part}`, hiddenSize, hiddenSize);
		return {
			order: 'postNorm',
			attention: {
				projection: {
					query: projection('query'),
					key: projection('key'),
					value: projection('value'),
					rotary: false,
				},
				output: linear(`${name}.attention.output.dense`, hiddenSize, hiddenSize, true),
				shape: { heads, keyValueHeads: heads, headDim, causal: false, scale: 1 / Math.sqrt(headDim) },
			},
			attentionNorm: norm(`${name}.attention.output.LayerNorm`),
			mlp: {
				kind: 'plain',
				up: linear(`${name}.intermediate.dense`, intermediateSize, hiddenSize),
				down: linear(`${name}.output.dense`, hiddenSize, intermediateSize, true),
				activation: config.activation,
			},
			mlpNorm: norm(`${name}.output.LayerNorm`),
		};
	};
	return {
		embeddings: {
			tokens,
			positions: tensorRows(positions, firstPosition, firstPosition + maxPositions),
			types,
			norm: norm(`${prefix}.embeddings.LayerNorm`),
		},
		blocks: Array.from({ length: config.layers }, (_, index) => block(index)),
		outputMatrix: undefined,
	};
}

/**
 * A family of this encoder, whose name stands before its tensors'.
 *
 * @param rowsBefore rows of the position table before that of the first token
 */
export function bertEncoder(
	name: 'bert' | 'roberta',
	rowsBefore: (padTokenId: number | undefined) => number,
): Family<BertEncoderConfig> {
	return {
		name,
		modelTypes: [name],
		keys,
		parse: (fields) => parse(fields, name, rowsBefore),
		weights,
		unread: [
			new RegExp(`^(${name}\\.)?pooler\\.`),
			/^(lm_head|classifier|qa_outputs|cls)\./,
			/embeddings\.position_ids$/,
		],
	};
}
