import type { Fields } from './fields.ts';
import type { QuantizationConfig } from './quantization-config.ts';

/** What every decoder in Hugging Face's naming has: plain data, validated. */
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

/** The fields of config.json that the Llama family shares with its relatives. */
export function parseCommon(
	fields: Fields,
	defaultKeyValueHeads: number | undefined,
): Omit<TransformerConfig, 'quantization'> {
	const hiddenSize = fields.size('hidden_size');
	const heads = fields.size('num_attention_heads');
	const keyValueHeads = fields.size('num_key_value_heads', { default: defaultKeyValueHeads ?? heads });
	if (heads % keyValueHeads !== 0) {
		throw fields.error(
			'num_key_value_heads',
			`a divisor of num_attention_heads (${heads}) is expected, found ${keyValueHeads}`,
		);
	}
	if (!fields.has('head_dim') && hiddenSize % heads !== 0) {
		throw fields.error(
			'hidden_size',
			`without head_dim, a multiple of num_attention_heads (${heads}) is expected, found ${hiddenSize}`,
		);
	}
	const dtype = fields.text('dtype') ?? fields.text('torch_dtype');
	return {
		hiddenSize,
		intermediateSize: fields.size('intermediate_size'),
		layers: fields.size('num_hidden_layers', { maximum: maxLayers }),
		heads,
		keyValueHeads,
		headDim: fields.size('head_dim', { default: hiddenSize / heads }),
		vocabularySize: fields.size('vocab_size'),
		languageHead: fields.flag('tie_word_embeddings', false) ? 'tied' : 'own',
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
