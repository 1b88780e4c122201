import { byteAlphabet } from '../tokenizer-training/byte-alphabet.ts';

/** The parts of a tokenizer.json that tests change. */
export interface SmallTokenizer {
	model: Record<string, unknown> & { vocab: Record<string, number> };
	added_tokens: object[];
	[name: string]: unknown;
}

export const endOfText = '<|end▁of▁text|>';

/**
 * Test helper: a byte-level tokenizer.json. Each byte has itself as id, each merge the next one, the end
 * token the last.
 */
export function smallTokenizer(merges: readonly (readonly [string, string])[] = []): SmallTokenizer {
	const tokens = [...byteAlphabet, ...merges.map(([left, right]) => left + right)];
	const end = { id: tokens.length, content: endOfText, special: true };
	return {
		added_tokens: [end],
		normalizer: null,
		pre_tokenizer: {
			type: 'Sequence',
			pretokenizers: [
				{ type: 'Digits', individual_digits: true },
				{ type: 'ByteLevel', add_prefix_space: false, use_regex: true },
			],
		},
		post_processor: {
			type: 'TemplateProcessing',
			single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: endOfText, type_id: 0 } }],
			pair: [],
			special_tokens: { [endOfText]: { id: endOfText, ids: [end.id], tokens: [endOfText] } },
		},
		decoder: { type: 'ByteLevel' },
		model: {
			type: 'BPE',
			vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
			merges: merges.map((pair) => [...pair]),
		},
	};
}
