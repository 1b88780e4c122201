import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { runsOf } from '../../../../../tests/nightly/nightly.ts';
import { VulntuneError } from '../../errors.ts';
import { parseModelConfig } from '../../models/model-config.ts';
import { damaged } from '../testing/damage.ts';
import { smallConfig } from '../testing/small-model.ts';
import { endOfText, type SmallTokenizer, smallTokenizer } from '../testing/small-tokenizer.ts';
import { thrownBy } from '../testing/thrown-by.ts';
import { byteAlphabet } from '../tokenizer-training/byte-alphabet.ts';
import { checkTokenIds, checkTokenizer, loadTokenizer } from './load-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function load(json: object, files: Readonly<Record<string, object>> = {}): Tokenizer {
	rmSync(scratch, { recursive: true });
	mkdirSync(scratch);
	for (const [name, content] of Object.entries({ 'tokenizer.json': json, ...files })) {
		writeFileSync(path.join(scratch, name), JSON.stringify(content));
	}
	return loadTokenizer(scratch);
}

const utf8 = (text: string) => [...Buffer.from(text)];
/** The token for the first byte of a character, and for the last. */
const firstByte = (text: string) => byteAlphabet[utf8(text)[0]!]!;
const lastByte = (text: string) => byteAlphabet[utf8(text).at(-1)!]!;

describe('encode and decode', () => {
	test('every text comes back, and without merges its ids are its bytes', () => {
		const tokenizer = load(smallTokenizer());
		const text = fc.oneof(
			fc.string({ unit: 'grapheme' }),
			fc.string({ unit: 'binary' }),
			fc.array(fc.constantFrom(endOfText, ' ', '\ufeff', '\u0085', 'x', '٣', '\r\n')).map((a) => a.join('')),
		);
		fc.assert(
			fc.property(text, (value) => {
				const ids = tokenizer.encode(value);
				expect([...ids]).toEqual(utf8(value));
				expect(tokenizer.decode(ids)).toBe(value);
			}),
			runsOf({ suite: 200, nightly: 10_000, seed: 7 }),
		);
	});

	test('a lone surrogate becomes a replacement character', () => {
		const tokenizer = load(smallTokenizer());
		expect(tokenizer.decode(tokenizer.encode('a\ud800b'))).toBe('a\ufffdb');
	});

	test('a special token written in a text is text, unless asked for', () => {
		const tokenizer = load(smallTokenizer());
		const end = 256;
		const text = `x${endOfText}y`;
		expect([...tokenizer.encode(text)]).not.toContain(end);
		const ids = tokenizer.encode(text, { specialTokensAsText: false });
		expect([...ids]).toEqual([120, end, 121]);
		expect(tokenizer.decode(ids)).toBe(text);
		expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('xy');
		expect([...tokenizer.encode('x', { addSpecialTokens: true })]).toEqual([120, end]);
		expect([...tokenizer.specialTokenIds]).toEqual([end]);
	});

	test('an added token that is not special stays a token', () => {
		const json = smallTokenizer();
		json.added_tokens.push({ id: 257, content: '    ', special: false });
		const tokenizer = load(json);
		expect([...tokenizer.encode('x    y')]).toEqual([120, 257, 121]);
		expect(tokenizer.vocabularySize).toBe(258);
	});

	test('unknown ids and unknown characters leave nothing', () => {
		const tokenizer = load(smallTokenizer());
		expect(tokenizer.decode([120, 5000, 121])).toBe('xy');
		expect(tokenizer.decode([])).toBe('');
		const json = smallTokenizer();
		delete json.model.vocab.z;
		expect([...load(json).encode('xzy')]).toEqual([120, 121]);
	});

	test('merges apply in their order', () => {
		const tokenizer = load(
			smallTokenizer([
				['a', 'b'],
				['ab', 'a'],
				['b', 'a'],
			]),
		);
		expect([...tokenizer.encode('abaababba')]).toEqual([257, 256, 256, 258]);
	});

	test('U+0085 is white space and U+FEFF is not', () => {
		const tokenizer = load(
			smallTokenizer([
				[';', firstByte('\u0085')],
				[';', firstByte('\ufeff')],
			]),
		);
		expect([...tokenizer.encode(';\u0085')]).toEqual(utf8(';\u0085'));
		expect([...tokenizer.encode(';\ufeff')]).toEqual([257, ...utf8('\ufeff').slice(1)]);
	});

	test('every numeric character is a digit', () => {
		const merges = [[lastByte('٣'), firstByte('٤')]] as const;
		expect([...load(smallTokenizer(merges)).encode('٣٤')]).toEqual(utf8('٣٤'));
		const runs = smallTokenizer(merges);
		runs.pre_tokenizer = {
			type: 'Sequence',
			pretokenizers: [{ type: 'Digits', individual_digits: false }, { type: 'ByteLevel' }],
		};
		expect([...load(runs).encode('٣٤')]).toEqual([utf8('٣')[0], 256, utf8('٤')[1]]);
	});

	test('byte tokens become the text whose bytes they are', () => {
		const byteTokens = Array.from({ length: 256 }, (_, byte) => {
			return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
		});
		const json = smallTokenizer();
		json.model = {
			type: 'BPE',
			vocab: Object.fromEntries(byteTokens.map((token, id) => [token, id])),
			merges: [],
			byte_fallback: true,
		};
		json.pre_tokenizer = null;
		json.decoder = { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] };
		const tokenizer = load(json);
		const text = '\ufeffgrün 😀';
		expect([...tokenizer.encode(text)]).toEqual(utf8(text));
		expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
		expect(tokenizer.decode([0xff, 0xfe])).toBe('\ufffd\ufffd');
	});
});

describe('loadTokenizer', () => {
	test('finds the special ids in tokenizer_config.json, then in special_tokens_map.json', () => {
		const config = { eos_token: { content: endOfText }, pad_token: 'a', bos_token: null };
		const tokenizer = load(smallTokenizer(), {
			'tokenizer_config.json': config,
			'special_tokens_map.json': { pad_token: 'b', sep_token: 'c' },
		});
		expect(tokenizer).toMatchObject({
			eosTokenId: 256,
			padTokenId: 97,
			bosTokenId: undefined,
			separatorId: 256,
		});
		const encoder = load(smallTokenizer(), { 'special_tokens_map.json': { sep_token: 'c' } });
		expect(encoder).toMatchObject({ eosTokenId: undefined, separatorId: 99 });
		expect(load(smallTokenizer()).separatorId).toBeUndefined();
	});

	test('needs no special token that nothing here uses', () => {
		const named = { pad_token: '[PAD]', bos_token: '[BOS]', eos_token: endOfText };
		const tokenizer = load(smallTokenizer(), {
			'tokenizer_config.json': named,
			'added_tokens.json': { '[PAD]': 257 },
		});
		expect(tokenizer).toMatchObject({ padTokenId: 257, bosTokenId: undefined, separatorId: 256 });
		const unknown = { eos_token: '</s>', sep_token: 'c' };
		expect(load(smallTokenizer(), { 'tokenizer_config.json': unknown }).separatorId).toBeUndefined();
	});

	test('takes an end token from where it is described', () => {
		const added_tokens_decoder = { 300: { content: '</s>', special: true } };
		const config = { eos_token: '</s>', added_tokens_decoder };
		const tokenizer = load(smallTokenizer(), { 'tokenizer_config.json': config });
		expect(tokenizer.separatorId).toBe(300);
		expect([...tokenizer.encode('</s>')]).toEqual(utf8('</s>'));
	});

	const plainToken = { id: 257, content: 'buf', special: false, normalized: true };
	test.each<[string, string, Readonly<Record<string, object>>, object[]]>([
		[
			'another end token',
			'special_tokens_map.json: eos_token',
			{ 'special_tokens_map.json': { eos_token: 'a' } },
			[],
		],
		['a token that is only there', 'added_tokens.json: "buf"', { 'added_tokens.json': { buf: 257 } }, []],
		[
			'a token of another id',
			'added_tokens.json: "buf"',
			{ 'added_tokens.json': { buf: 258 } },
			[plainToken],
		],
		[
			'a token of other settings',
			'tokenizer_config.json: added_tokens_decoder: 257',
			{ 'tokenizer_config.json': { added_tokens_decoder: { 257: { content: 'buf', single_word: true } } } },
			[plainToken],
		],
		[
			'a key that may matter',
			'tokenizer_config.json: do_lower_case',
			{ 'tokenizer_config.json': { do_lower_case: true } },
			[],
		],
		['a key that is not known', 'tokenizer_config.json: new', { 'tokenizer_config.json': { new: 1 } }, []],
		[
			'a key that is not known',
			'special_tokens_map.json: new',
			{ 'special_tokens_map.json': { new: 1 } },
			[],
		],
		[
			'another prefix space',
			'tokenizer_config.json: add_prefix_space',
			{ 'tokenizer_config.json': { add_prefix_space: true } },
			[],
		],
	])('refuses %s (%s)', (_, place, files, added) => {
		const json = smallTokenizer();
		json.added_tokens.push(...added);
		const config = { eos_token: endOfText, ...files['tokenizer_config.json'] };
		const error = thrownBy(() => load(json, { ...files, 'tokenizer_config.json': config }));
		expect(error.kind).toBe('input');
		expect(error.place!.slice(scratch.length + 1)).toBe(place);
	});

	test('the same token described twice, and keys that change nothing, are fine', () => {
		const json = smallTokenizer();
		json.added_tokens.push(plainToken);
		const config = {
			...{ eos_token: endOfText, model_max_length: 1e30, chat_template: '{{ x }}', image_token: '<i>' },
			...{ added_tokens_decoder: { 257: { content: 'buf' } }, unheard_of: null, add_prefix_space: false },
		};
		const files = { 'tokenizer_config.json': config, 'special_tokens_map.json': { eos_token: endOfText } };
		expect([
			...load({ ...json, truncation: { max_length: 2 }, padding: {} }, files).encode('buf buf'),
		]).toEqual([257, 32, 257]);
	});

	test('names the file that is missing', () => {
		const error = thrownBy(() => loadTokenizer(path.join(scratch, 'absent')));
		expect(error).toMatchObject({ code: 'TOKENIZER_MISSING', kind: 'input' });
	});

	test('the hash follows the content of tokenizer.json', () => {
		const { hash } = load(smallTokenizer());
		expect(hash).toMatch(/^[0-9a-f]{64}$/);
		expect(load(smallTokenizer(), { 'tokenizer_config.json': { eos_token: endOfText } }).hash).toBe(hash);
		expect(load(smallTokenizer([['a', 'b']])).hash).not.toBe(hash);
	});

	test.each<[string, (json: SmallTokenizer) => void, string]>([
		['no model', (json) => delete (json as Record<string, unknown>).model, 'TOKENIZER_FILE'],
		['a Unigram model', (json) => (json.model.type = 'Unigram'), 'TOKENIZER_UNSUPPORTED'],
		['no vocabulary', (json) => (json.model.vocab = null as never), 'TOKENIZER_FILE'],
		['a negative id', (json) => (json.model.vocab.a = -1), 'TOKENIZER_FILE'],
		['a huge id', (json) => (json.model.vocab.a = 4e9), 'TOKENIZER_FILE'],
		['an unknown token that is none', (json) => (json.model.unk_token = '<unk>'), 'TOKENIZER_FILE'],
		['merges that are no list', (json) => (json.model.merges = {}), 'TOKENIZER_FILE'],
		['a merge of three', (json) => (json.model.merges = ['a b c']), 'TOKENIZER_FILE'],
		['merges of both styles', (json) => (json.model.merges = [['a', 'b'], 'c d']), 'TOKENIZER_FILE'],
		['a merge without a result', (json) => (json.model.merges = ['a b']), 'TOKENIZER_FILE'],
		['a subword prefix', (json) => (json.model.continuing_subword_prefix = '##'), 'TOKENIZER_UNSUPPORTED'],
		[
			'an added token without text',
			(json) => json.added_tokens.push({ id: 1, content: '' }),
			'TOKENIZER_FILE',
		],
		[
			'an added token with another id',
			(json) => json.added_tokens.push({ id: 1, content: 'a' }),
			'TOKENIZER_FILE',
		],
		['a step of no type', (json) => (json.normalizer = {}), 'TOKENIZER_FILE'],
		['an unknown step', (json) => (json.normalizer = { type: 'Reverse' }), 'TOKENIZER_UNSUPPORTED'],
		['a pattern of no kind', (json) => (json.normalizer = { type: 'Replace', pattern: 3 }), 'TOKENIZER_FILE'],
		[
			'steps of fixed length 0',
			(json) => (json.pre_tokenizer = { type: 'FixedLength', length: 0 }),
			'TOKENIZER_UNSUPPORTED',
		],
		...(
			[
				['normalizer', { type: 'Precompiled', precompiled_charsmap: 'x' }, 'TOKENIZER_UNSUPPORTED'],
				['normalizer', { type: 'BertNormalizer' }, 'TOKENIZER_FILE'],
				['normalizer', { type: 'NFC', form: 'D' }, 'TOKENIZER_UNSUPPORTED'],
				['normalizer', { type: 'Prepend' }, 'TOKENIZER_FILE'],
				['normalizer', { type: 'Replace', pattern: { String: 'a' }, content: 3 }, 'TOKENIZER_FILE'],
				['pre_tokenizer', { type: 'UnicodeScripts' }, 'TOKENIZER_UNSUPPORTED'],
				['pre_tokenizer', { type: 'CharDelimiterSplit', delimiter: 'x' }, 'TOKENIZER_UNSUPPORTED'],
				[
					'pre_tokenizer',
					{ type: 'Split', pattern: { String: 'a' }, behavior: 'isolated' },
					'TOKENIZER_FILE',
				],
				['pre_tokenizer', { type: 'Digits', individual_digits: 1 }, 'TOKENIZER_FILE'],
				['pre_tokenizer', { type: 'Metaspace', replacement: '_', prepend_scheme: 'last' }, 'TOKENIZER_FILE'],
				['pre_tokenizer', { type: 'Metaspace', replacement: '_', add_prefix_space: false }, 'TOKENIZER_FILE'],
				['post_processor', { type: 'Reverse' }, 'TOKENIZER_UNSUPPORTED'],
				['post_processor', { type: 'BertProcessing', sep: ['a', 98], cls: ['a', 97] }, 'TOKENIZER_FILE'],
				['something', { new: 1 }, 'TOKENIZER_UNSUPPORTED'],
			] as const
		).map(([name, value, code]): [string, (json: SmallTokenizer) => void, string] => [
			`${name} ${JSON.stringify(value)}`,
			(json) => (json[name] = value),
			code,
		]),
		[
			'an added token that the reference implementation would number otherwise',
			(json) => json.added_tokens.push({ id: 300, content: 'buf' }),
			'TOKENIZER_FILE',
		],
		['dropout', (json) => (json.model.dropout = 0.1), 'TOKENIZER_UNSUPPORTED'],
		['a model with a new key', (json) => (json.model.new = true), 'TOKENIZER_UNSUPPORTED'],
		[
			'an added token with a new key',
			(json) => json.added_tokens.push({ id: 257, content: 'x', fuzzy: true }),
			'TOKENIZER_UNSUPPORTED',
		],
		[
			'a template with an unknown token',
			(json) => (json.post_processor = { type: 'BertProcessing', sep: ['[SEP]', 1], cls: ['[CLS]', 2] }),
			'TOKENIZER_FILE',
		],
		[
			'a template without the text',
			(json) => (json.post_processor = { type: 'TemplateProcessing', single: [], pair: [] }),
			'TOKENIZER_FILE',
		],
	])('refuses %s', (_, change, code) => {
		const json = smallTokenizer();
		change(json);
		expect(thrownBy(() => load(json))).toMatchObject({ code, kind: 'input' });
	});

	test('a damaged file gives a typed error or a tokenizer that works', () => {
		const original = Buffer.from(JSON.stringify(smallTokenizer([['a', 'b']])));
		const file = path.join(scratch, 'tokenizer.json');
		let refused = 0;
		fc.assert(
			fc.property(damaged(original), (bytes) => {
				writeFileSync(file, bytes);
				try {
					const tokenizer = loadTokenizer(scratch);
					for (const text of ['ab', `int x = "${endOfText}";`, '😀\n']) {
						const ids = tokenizer.encode(text, { addSpecialTokens: true, specialTokensAsText: false });
						expect(ids.every((id) => id >= 0 && id < tokenizer.vocabularySize)).toBe(true);
						tokenizer.decode(ids);
					}
				} catch (error) {
					if (!(error instanceof VulntuneError)) throw error;
					refused++;
				}
			}),
			runsOf({ suite: 2000, nightly: 100_000, seed: 8 }),
		);
		expect(refused).toBeGreaterThan(1000);
	});

	test('any value at any place gives a typed error or a tokenizer that works', () => {
		const places = Object.entries(smallTokenizer()).flatMap(([name, value]) => {
			const inner =
				typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
			return [[name], ...inner.map((key) => [name, key])];
		});
		fc.assert(
			fc.property(fc.constantFrom(...places), fc.jsonValue(), ([name, key], value) => {
				const json = smallTokenizer();
				if (key === undefined) json[name!] = value;
				else (json[name!] as Record<string, unknown>)[key] = value;
				try {
					const tokenizer = load(json);
					tokenizer.decode(tokenizer.encode('ab 12', { specialTokensAsText: false }));
				} catch (error) {
					if (!(error instanceof VulntuneError)) throw error;
				}
			}),
			runsOf({ suite: 300, nightly: 10_000, seed: 9 }),
		);
	});
});

describe('a tokenizer beside a model', () => {
	const config = (vocab_size: number) => parseModelConfig({ ...smallConfig, vocab_size }, 'config.json');

	test('is refused where a text can become ids without an embedding', () => {
		const json = smallTokenizer();
		json.added_tokens.push({ id: 257, content: 'buf', special: false });
		const tokenizer = load(json);
		checkTokenizer(tokenizer, config(258));
		const error = thrownBy(() => checkTokenizer(tokenizer, config(257)));
		expect(error).toMatchObject({ code: 'TOKENIZER_MODEL', kind: 'input', place: tokenizer.place });
		expect(error.summary).toMatch(/257.*0 to 256/);
	});

	test('may have special tokens beyond, and more embeddings than ids', () => {
		const tokenizer = load(smallTokenizer());
		expect(tokenizer).toMatchObject({ vocabularySize: 257, textVocabularySize: 256 });
		checkTokenizer(tokenizer, config(256));
		checkTokenizer(tokenizer, config(300));
	});

	test('names the token of a text that has no embedding', () => {
		const tokenizer = load(smallTokenizer());
		checkTokenIds([0, 255], tokenizer, config(256), 'function 7');
		const error = thrownBy(() => checkTokenIds([0, 256, 2], tokenizer, config(256), 'function 7'));
		expect(error).toMatchObject({ code: 'TOKENIZER_MODEL', place: 'function 7' });
		expect(error.summary).toContain(`"${endOfText}" is token 256`);
	});
});
