import { quoteName } from '../json.ts';
import { keyTable, refuseUnknownKeys } from '../known-keys.ts';
import { formatError, unsupportedError } from './gguf-errors.ts';
import type { GgufMetadata, GgufValue } from './metadata.ts';
import { describeValue } from './model-config.ts';
import { findPreTokenizer, preTokenizerNames } from './pre-tokenizers.ts';
import type { GgufFile } from './reader.ts';
import { mergesOf } from './sentencepiece-merges.ts';

/** The keys after `tokenizer.`. */
export const tokenizerKeys = keyTable({
	used: [
		...['model', 'pre', 'tokens', 'scores', 'token_type', 'merges', 'add_bos_token', 'add_eos_token'],
		...['add_space_prefix', 'bos_token_id', 'eos_token_id', 'padding_token_id', 'unknown_token_id'],
	].map((key) => `ggml.${key}`),
	neutral: [
		...[
			'seperator',
			'cls',
			'mask',
			'eot',
			'eom',
			'prefix',
			'suffix',
			'middle',
			'fim_pre',
			'fim_suf',
			'fim_mid',
		]
			.concat('fim_pad', 'fim_rep', 'fim_sep')
			.map((token) => `ggml.${token}_token_id`),
		...['ggml.add_sep_token', 'ggml.token_type_count', 'huggingface.json', 'chat_template', 'chat_templates'],
	],
	off: ['ggml.precompiled_charsmap', 'ggml.added_tokens'],
	only: { 'ggml.remove_extra_whitespaces': [false], 'ggml.escape_whitespaces': [true] },
});

/** ggml's types of tokens. */
const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
const maxTokens = 2 ** 24;

/** The files of a tokenizer as transformers writes them. */
export interface TokenizerJson {
	readonly 'tokenizer.json': object;
	readonly 'tokenizer_config.json': object;
}

/**
 * The tokenizer inside a file: byte-level BPE (`gpt2`) of a known way to split texts, or SentencePiece's BPE (`llama`). Undefined where
 * there is none. Throws GGUF_UNSUPPORTED for another kind, and GGUF_FORMAT where the parts of one don't fit together.
 */
export function tokenizerOf({
	metadata,
	path,
}: Pick<GgufFile, 'metadata' | 'path'>): TokenizerJson | undefined {
	const parts = readParts(metadata, path);
	if (parts === undefined) return undefined;
	const { model } = parts;
	if (model !== 'gpt2' && model !== 'llama') {
		throw unsupportedError(
			`gpt2 or llama is expected, found ${describeValue(model)}`,
			parts.placeOf('model'),
		);
	}
	const specials = specialTokens(parts);
	const { steps, addsBos } = model === 'gpt2' ? byteLevelSteps(parts) : sentencePieceSteps(parts);
	const flag = (key: string, otherwise: boolean) => parts.flag(key) ?? otherwise;
	return {
		'tokenizer.json': {
			version: '1.0',
			truncation: null,
			padding: null,
			added_tokens: addedTokens(parts),
			...steps,
			post_processor: postProcessor(
				flag('add_bos_token', addsBos) ? specials.bos : undefined,
				flag('add_eos_token', false) ? specials.eos : undefined,
			),
		},
		'tokenizer_config.json': Object.fromEntries(
			Object.entries(specials).flatMap(([name, token]) =>
				token === undefined ? [] : [[`${name}_token`, token.content]],
			),
		),
	};
}

interface Parts {
	readonly model: GgufValue | undefined;
	readonly tokens: readonly string[];
	/** Of each token. */
	readonly types: ArrayLike<number>;
	readonly list: (key: string) => GgufValue | undefined;
	readonly flag: (key: string) => boolean | undefined;
	readonly placeOf: (key: string) => string;
}

function readParts(metadata: GgufMetadata, path: string): Parts | undefined {
	const prefix = 'tokenizer.';
	const own = Object.fromEntries(
		[...metadata].flatMap(([key, value]) =>
			key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
		),
	);
	refuseUnknownKeys(own, withTemplates(own), (key, message) =>
		unsupportedError(message, `${path}: ${prefix}${key}`),
	);
	const get = (key: string) => metadata.get(`tokenizer.ggml.${key}`);
	const placeOf = (key: string) => `${path}: tokenizer.ggml.${key}`;
	const tokens = get('tokens');
	const model = get('model');
	if (tokens === undefined || model === 'none') return undefined;
	if (!isTexts(tokens) || tokens.length > maxTokens) {
		throw formatError(`a list of at most ${maxTokens} strings is expected`, placeOf('tokens'));
	}
	const seen = new Set<string>();
	for (const token of tokens) {
		if (seen.has(token)) throw formatError(`the token ${quoteName(token)} occurs twice`, placeOf('tokens'));
		seen.add(token);
	}
	return {
		model,
		tokens,
		types: readTypes(get('token_type'), tokens.length, placeOf('token_type')),
		list: get,
		flag,
		placeOf,
	};

	function flag(key: string): boolean | undefined {
		const value = get(key);
		if (value === undefined || typeof value === 'boolean') return value;
		throw formatError(`true or false is expected, found ${describeValue(value)}`, placeOf(key));
	}
}

/** Chat templates may have names of their own. */
function withTemplates(own: object) {
	const named = Object.keys(own).filter((key) => key.startsWith('chat_template.'));
	return new Map([...tokenizerKeys, ...named.map((key) => [key, 'neutral'] as const)]);
}

function readTypes(value: GgufValue | undefined, count: number, place: string): ArrayLike<number> {
	if (value === undefined) return new Uint8Array(count).fill(tokenTypes.normal);
	const known: readonly number[] = Object.values(tokenTypes);
	const isTypes = value instanceof Int32Array || value instanceof Uint32Array;
	if (isTypes && value.length === count && value.every((type) => known.includes(type))) return value;
	throw formatError(`${count} types of tokens from 1 to 6 are expected`, place);
}

function isTexts(value: GgufValue | undefined): value is readonly string[] {
	return Array.isArray(value);
}

interface SpecialToken {
	readonly id: number;
	readonly content: string;
}

type SpecialTokens = Readonly<Record<'bos' | 'eos' | 'pad' | 'unk', SpecialToken | undefined>>;

function specialTokens({ list, tokens, placeOf }: Parts): SpecialTokens {
	const token = (kind: string): SpecialToken | undefined => {
		const id = list(`${kind}_token_id`);
		if (id === undefined || id === -1 || id === 0xffffffff) return undefined;
		const content = typeof id === 'number' ? tokens[id] : undefined;
		if (content !== undefined) return { id: id as number, content };
		throw formatError(
			`the number of a token is expected, found ${describeValue(id)}`,
			placeOf(`${kind}_token_id`),
		);
	};
	return { bos: token('bos'), eos: token('eos'), pad: token('padding'), unk: token('unknown') };
}

/** Tokens that are found in a text before anything else: special ones, and those that someone added. */
function addedTokens({ tokens, types }: Parts): object[] {
	return tokens.flatMap((content, id) => {
		const type = types[id];
		const special = type === tokenTypes.control || type === tokenTypes.unknown;
		if (!special && type !== tokenTypes.userDefined) return [];
		return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
	});
}

interface Steps {
	readonly steps: object;
	readonly addsBos: boolean;
}

const noUnknown = {
	dropout: null,
	unk_token: null,
	continuing_subword_prefix: null,
	end_of_word_suffix: null,
};

function byteLevelSteps({ tokens, types, list, placeOf }: Parts): Steps {
	const name = list('pre');
	const known = typeof name === 'string' ? findPreTokenizer(name) : undefined;
	if (known === undefined) {
		throw unsupportedError(
			`a way to split texts out of ${preTokenizerNames.join(', ')} is expected, found ${describeValue(name)}`,
			placeOf('pre'),
		);
	}
	const merges = list('merges');
	if (!isTexts(merges)) throw formatError('a list of merges is expected', placeOf('merges'));
	// special tokens are found before anything is merged; where a whole word may be a token they must not be one
	const vocab = Object.fromEntries(
		tokens.map((token, id) => [token, id] as const).filter(([, id]) => types[id] !== tokenTypes.control),
	);
	const { normalizer, preTokenizer, ignoreMerges, addsBos } = known;
	const model = {
		type: 'BPE',
		...noUnknown,
		fuse_unk: false,
		byte_fallback: false,
		ignore_merges: ignoreMerges,
	};
	return {
		steps: {
			normalizer,
			pre_tokenizer: preTokenizer,
			decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
			model: { ...model, vocab, merges },
		},
		addsBos,
	};
}

/** U+2581, which stands for a space. */
const space = '\u2581';

function sentencePieceSteps(parts: Parts): Steps {
	const { tokens, types, list, placeOf } = parts;
	const scores = list('scores');
	if (!(scores instanceof Float32Array) || scores.length !== tokens.length || scores.some(Number.isNaN)) {
		throw formatError(`${tokens.length} numbers are expected`, placeOf('scores'));
	}
	const ids = new Map(tokens.map((token, id) => [token, id]));
	const pieces = [...ids].filter(([, id]) => types[id] === tokenTypes.normal);
	const prefix = parts.flag('add_space_prefix') ?? true;
	const unknown =
		specialTokens(parts).unk?.content ?? tokens.find((_, id) => types[id] === tokenTypes.unknown);
	return {
		steps: {
			normalizer: {
				type: 'Sequence',
				normalizers: [
					...(prefix ? [{ type: 'Prepend', prepend: space }] : []),
					{ type: 'Replace', pattern: { String: ' ' }, content: space },
				],
			},
			pre_tokenizer: null,
			decoder: {
				type: 'Sequence',
				decoders: [
					{ type: 'Replace', pattern: { String: space }, content: ' ' },
					{ type: 'ByteFallback' },
					{ type: 'Fuse' },
					...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
				],
			},
			model: {
				type: 'BPE',
				...noUnknown,
				unk_token: unknown ?? null,
				fuse_unk: true,
				byte_fallback: true,
				ignore_merges: false,
				vocab: Object.fromEntries(ids),
				merges: mergesOf(new Map(pieces.map(([piece, id]) => [piece, scores[id]!])), new Set(tokens)),
			},
		},
		addsBos: true,
	};
}

function postProcessor(before: SpecialToken | undefined, after: SpecialToken | undefined): object | null {
	const around = [before, after].filter((token) => token !== undefined);
	if (around.length === 0) return null;
	const item = (token: SpecialToken | undefined, type: number) =>
		token === undefined ? [] : [{ SpecialToken: { id: token.content, type_id: type } }];
	const text = (id: string, type: number) => [
		...item(before, type),
		{ Sequence: { id, type_id: type } },
		...item(after, type),
	];
	return {
		type: 'TemplateProcessing',
		single: text('A', 0),
		pair: [...text('A', 0), ...text('B', 1)],
		special_tokens: Object.fromEntries(
			around.map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
		),
	};
}
