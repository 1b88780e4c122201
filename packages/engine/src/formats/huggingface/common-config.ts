import type { Fields } from './fields.ts';
import type { QuantizationConfig } from './quantization-config.ts';

/** What every transformer has: plain data, validated. */
export interface TransformerConfig {
	readonly hiddenSize: number;
	readonly intermediateSize: number;
	readonly layers: number;
	readonly heads: number;
	/** Divides `heads`; each serves `heads / keyValueHeads` query heads. */
	readonly keyValueHeads: number;
	readonly headDim: number;
	readonly vocabularySize: number;
	/**
	 * The output matrix: one of its own, the embedding (`tied`), or none, as where a classifier was saved. config.json tells
	 * the first two apart; beside weights, what they hold decides.
	 */
	readonly languageHead: 'own' | 'tied' | 'absent';
	readonly bosTokenId: number | undefined;
	/** More than one where generation may end with any of them; empty where none is named. */
	readonly eosTokenIds: readonly number[];
	readonly padTokenId: number | undefined;
	/** The type the weights were saved in, as config.json names it; the tensors themselves decide. */
	readonly dtype: string | undefined;
	readonly quantization: QuantizationConfig | undefined;
}

const maxLayers = 10_000;

/** The fields of config.json as Llama names them, which decoders of its kind share. */
export function parseCommon(
	fields: Fields,
	defaultKeyValueHeads: number | undefined,
	defaultHeadDim?: number,
): Omit<TransformerConfig, 'quantization'> {
	const dimensions = parseDimensions(fields, {
		hidden: 'hidden_size',
		heads: 'num_attention_heads',
		layers: 'num_hidden_layers',
		headDim: 'head_dim',
		defaultHeadDim,
	});
	const { heads } = dimensions;
	const keyValueHeads = fields.size('num_key_value_heads', { default: defaultKeyValueHeads ?? heads });
	if (heads % keyValueHeads !== 0) {
		throw fields.error(
			'num_key_value_heads',
			`a divisor of num_attention_heads (${heads}) is expected, found ${keyValueHeads}`,
		);
	}
	return {
		...dimensions,
		...parseVocabulary(fields),
		keyValueHeads,
		intermediateSize: fields.size('intermediate_size'),
		languageHead: fields.flag('tie_word_embeddings', false) ? 'tied' : 'own',
	};
}

/** Sizes under the names that a family has for them; heads share the hidden size where it names no size of theirs. */
export function parseDimensions(
	fields: Fields,
	names: {
		readonly hidden: string;
		readonly heads: string;
		readonly layers: string;
		readonly headDim?: string;
		readonly defaultHeadDim?: number | undefined;
	},
): Pick<TransformerConfig, 'hiddenSize' | 'heads' | 'layers' | 'headDim'> {
	const hiddenSize = fields.size(names.hidden);
	const heads = fields.size(names.heads);
	const ownSize =
		names.headDim !== undefined && fields.has(names.headDim)
			? fields.size(names.headDim)
			: names.defaultHeadDim;
	if (ownSize === undefined && hiddenSize % heads !== 0) {
		const without = names.headDim === undefined ? '' : `without ${names.headDim}, `;
		throw fields.error(
			names.hidden,
			`${without}a multiple of ${names.heads} (${heads}) is expected, found ${hiddenSize}`,
		);
	}
	return {
		hiddenSize,
		heads,
		layers: fields.size(names.layers, { maximum: maxLayers }),
		headDim: ownSize ?? hiddenSize / heads,
	};
}

/** What every family's file says of ids and of the type of its weights. */
export function parseVocabulary(
	fields: Fields,
): Pick<TransformerConfig, 'vocabularySize' | 'bosTokenId' | 'eosTokenIds' | 'padTokenId' | 'dtype'> {
	const dtype = fields.text('dtype') ?? fields.text('torch_dtype');
	return {
		vocabularySize: fields.size('vocab_size'),
		bosTokenId: parseTokenIds(fields, 'bos_token_id')[0],
		eosTokenIds: parseTokenIds(fields, 'eos_token_id'),
		padTokenId: parseTokenIds(fields, 'pad_token_id')[0],
		dtype: dtype?.replace(/^torch\./, ''),
	};
}

/** One id, a list of them, or none; -1 is how some published configs say that there is none. */
function parseTokenIds(fields: Fields, name: string): readonly number[] {
	const value = fields.raw(name);
	if (value === undefined || value === -1) return [];
	const ids: readonly unknown[] = Array.isArray(value) ? value : [value];
	for (const id of ids) {
		if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
			throw fields.error(name, 'an integer from 0 on, a list of them, or null is expected');
		}
	}
	return ids as readonly number[];
}
