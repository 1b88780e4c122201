import { inputError } from '../../errors.ts';
import { preTokenizerFor } from '../../formats/gguf/pre-tokenizers.ts';
import { mergesOf } from '../../formats/gguf/sentencepiece-merges.ts';
import type { GgufWritten } from '../../formats/gguf/writer.ts';
import { ownValue } from '../../formats/json.ts';
import { parseDefinition, type TokenizerDefinition } from '../../formats/tokenizer/definition.ts';
import type { Tokenizer } from '../../formats/tokenizer/tokenizer.ts';

type BpeDefinition = TokenizerDefinition & { readonly model: { readonly type: 'BPE' } };

/** ggml's types of tokens. */
const types = { normal: 1, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/**
 * A tokenizer as llama.cpp reads it: byte-level BPE (`gpt2`) under the name of its way to split texts, or SentencePiece's BPE (`llama`).
 *
 * Throws EXPORT_TOKENIZER for one that llama.cpp has no name for: it would make other tokens.
 *
 * @param json of tokenizer.json
 * @param rows of the model's embedding: ids without a token are filled up
 */
export function tokenizerMetadata(
	json: object,
	tokenizer: Tokenizer,
	rows: number,
): Readonly<Record<string, GgufWritten>> {
	const parsed = parseDefinition(json, tokenizer.place);
	const { model } = parsed;
	if (model.type !== 'BPE') throw tokenizerError(`it is ${model.type}, not BPE`, tokenizer.place);
	const definition: BpeDefinition = { ...parsed, model };
	const { tokens, kinds } = tokenTable(definition, rows);
	const { bosTokenId, eosTokenId, padTokenId, place } = tokenizer;
	const starts = tokenizer.encode('x', { addSpecialTokens: true });
	const ids = { bos: bosTokenId, eos: eosTokenId, padding: padTokenId };
	const named = Object.entries(ids).filter(([, id]) => id !== undefined && id < rows) as [string, number][];
	return prefixed({
		...(definition.model.byte_fallback === true
			? sentencePiece(definition, tokens, kinds, place)
			: byteLevel(definition, json, place)),
		tokens,
		token_type: Int32Array.from(kinds),
		...Object.fromEntries(named.map(([kind, id]) => [`${kind}_token_id`, id])),
		add_bos_token: bosTokenId !== undefined && starts[0] === bosTokenId,
		add_eos_token: eosTokenId !== undefined && starts.length > 1 && starts.at(-1) === eosTokenId,
	});
}

function prefixed(values: Readonly<Record<string, GgufWritten>>): Readonly<Record<string, GgufWritten>> {
	return Object.fromEntries(Object.entries(values).map(([key, value]) => [`tokenizer.ggml.${key}`, value]));
}

function tokenTable({ model, added_tokens: added }: BpeDefinition, rows: number) {
	const tokens = Array.from({ length: rows }, (_, id) => `[PAD${id}]`);
	const kinds = new Array<number>(rows).fill(types.unused);
	for (const [token, id] of Object.entries(model.vocab as Readonly<Record<string, number>>)) {
		if (id >= rows) continue;
		tokens[id] = token;
		const isByte = model.byte_fallback === true && /^<0x[0-9A-F]{2}>$/.test(token);
		kinds[id] = isByte ? types.byte : types.normal;
	}
	for (const { id, content, special } of added) {
		if (id >= rows) continue;
		tokens[id] = content;
		kinds[id] = special ? types.control : types.userDefined;
	}
	return { tokens, kinds };
}

function mergePairs({ model }: BpeDefinition): readonly (readonly [string, string])[] {
	const merges =
		(model as { readonly merges?: readonly (string | readonly [string, string])[] }).merges ?? [];
	return merges.map((merge) => (typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge));
}

function byteLevel(
	definition: BpeDefinition,
	json: object,
	place: string,
): Readonly<Record<string, GgufWritten>> {
	const name = preTokenizerFor(
		ownValue(json, 'normalizer'),
		ownValue(json, 'pre_tokenizer'),
		definition.model.ignore_merges === true,
	);
	if (name === undefined) throw tokenizerError('its way to split texts has no name in llama.cpp', place);
	return { model: 'gpt2', pre: name, merges: mergePairs(definition).map((pair) => pair.join(' ')) };
}

/** U+2581, which stands for a space. */
const space = '\u2581';

/** Scores say in which order pieces are merged: the rank of the first merge that makes a piece, downwards. */
function sentencePiece(
	definition: BpeDefinition,
	tokens: readonly string[],
	kinds: readonly number[],
	place: string,
): Readonly<Record<string, GgufWritten>> {
	const steps = definition.normalizer?.normalizers ?? [definition.normalizer];
	const prefix = steps[0]?.type === 'Prepend';
	const replaces = steps.at(-1)?.type === 'Replace';
	if (!replaces || definition.pre_tokenizer !== null || steps.length !== (prefix ? 2 : 1)) {
		throw tokenizerError(`only a normaliser that writes ${space} for spaces can be said there`, place);
	}
	const merges = mergePairs(definition);
	const rank = new Map<string, number>();
	for (const [index, [left, right]] of merges.entries()) {
		if (!rank.has(left + right)) rank.set(left + right, index);
	}
	const lowest = -merges.length - 1;
	const scores = Float32Array.from(tokens, (token, id) => {
		return kinds[id] === types.normal ? -(rank.get(token) ?? -lowest) : 0;
	});
	const pieces = new Map(
		tokens.flatMap((token, id) => (kinds[id] === types.normal ? [[token, scores[id]!] as const] : [])),
	);
	const again = mergesOf(pieces, new Set(tokens));
	const same = again.length === merges.length && again.every((pair, i) => pair.join() === merges[i]!.join());
	if (!same) throw tokenizerError('no scores of pieces give its merges in their order', place);
	return { model: 'llama', pre: 'default', scores, add_space_prefix: prefix };
}

function tokenizerError(message: string, place: string): Error {
	return inputError('EXPORT_TOKENIZER', `the tokenizer can't be written into a GGUF file: ${message}`, {
		place,
		remedy: 'llama.cpp would make other tokens of a text. Write ONNX, or a merged model, instead.',
	});
}
