import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { thrownBy } from '../testing/thrown-by.ts';
import { buildTokenizer } from './build-tokenizer.ts';

const golden = new URL('../../../../../tests/golden/word-piece.json', import.meta.url);
const { base } = JSON.parse(readFileSync(golden, 'utf8'));
const normalizer = {
	type: 'BertNormalizer',
	clean_text: true,
	handle_chinese_chars: true,
	strip_accents: null,
	lowercase: true,
};
const tokens = { cls_token: '[CLS]', sep_token: '[SEP]', pad_token: '[PAD]', unk_token: '[UNK]' };

function build(change: object = {}, config: object = {}) {
	return buildTokenizer({
		bytes: new Uint8Array(),
		json: { ...base, normalizer, ...change },
		place: 'tokenizer.json',
		config: { json: { ...tokens, ...config }, place: 'tokenizer_config.json' },
	});
}

test('texts begin with the token of classification and end with the separator', () => {
	expect(build()).toMatchObject({ bosTokenId: 2, separatorId: 3, padTokenId: 0, eosTokenId: undefined });
	expect([...build().encode('if', { addSpecialTokens: true })]).toEqual([2, 4, 3]);
	expect(build({}, { bos_token: '[PAD]' }).bosTokenId).toBe(0);
});

test('a text comes back in its normal form', () => {
	const tokenizer = build();
	expect(tokenizer.decode(tokenizer.encode('IF ( buffer )'))).toBe('if ( buffer )');
});

test.each([
	[{ do_lower_case: true, strip_accents: null, tokenize_chinese_chars: true }, {}],
	[{ do_lower_case: false }, { lowercase: false }],
	// accents go with capitals where tokenizer.json says nothing
	[{ strip_accents: true }, {}],
	[{ strip_accents: false }, { lowercase: false }],
	[{ do_basic_tokenize: true, never_split: null }, {}],
])('tokenizer_config.json may say what tokenizer.json does: %j', (config, change) => {
	expect(build({ normalizer: { ...normalizer, ...change } }, config).encode('if')).toHaveLength(1);
});

test.each([
	[{ do_lower_case: false }, 'do_lower_case'],
	[{ strip_accents: false }, 'strip_accents'],
	[{ tokenize_chinese_chars: false }, 'tokenize_chinese_chars'],
	[{ do_basic_tokenize: false }, 'do_basic_tokenize'],
	[{ never_split: ['[X]'] }, 'never_split'],
])('is refused where it says otherwise: %j', (config, key) => {
	expect(thrownBy(() => build({}, config))).toMatchObject({
		code: 'TOKENIZER_UNSUPPORTED',
		place: `tokenizer_config.json: ${key}`,
	});
});

test.each([
	[{ unk_token: '[NONE]' }, 'TOKENIZER_FILE'],
	[{ continuing_subword_prefix: 2 }, 'TOKENIZER_FILE'],
	[{ max_input_chars_per_word: -1 }, 'TOKENIZER_FILE'],
	[{ vocab: ['[UNK]'] }, 'TOKENIZER_FILE'],
	[{ merges: ['a b'] }, 'TOKENIZER_UNSUPPORTED'],
])('a WordPiece model with %j is refused', (change, code) => {
	expect(thrownBy(() => build({ model: { ...base.model, ...change } })).code).toBe(code);
});

test("a normaliser that leaves out what it is to do is refused, since BERT's defaults are no file's", () => {
	expect(thrownBy(() => build({ normalizer: { type: 'BertNormalizer' } })).code).toBe('TOKENIZER_FILE');
});
