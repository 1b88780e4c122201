import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { thrownBy } from '../testing/thrown-by.ts';
import { buildTokenizer } from '../tokenizer/build-tokenizer.ts';
import type { GgufMetadata, GgufValue } from './metadata.ts';
import { tokenizerOf } from './model-tokenizer.ts';

interface Case {
	readonly metadata: Readonly<Record<string, unknown>>;
	readonly rows: readonly {
		readonly text: string;
		readonly ids: readonly number[];
		/** With special tokens read as text. */
		readonly idsAsText: readonly number[];
	}[];
}

const goldens = new URL('../../../../../tests/golden/gguf-tokenizers.json', import.meta.url);
const cases: readonly Case[] = JSON.parse(readFileSync(goldens, 'utf8'));

/** As a file's metadata is read: lists of numbers in arrays of their type. */
function metadataOf(json: Case['metadata'], other: Record<string, GgufValue | undefined> = {}): GgufMetadata {
	const typed: [string, GgufValue][] = Object.entries(json).map(([key, value]) => {
		if (key.endsWith('token_type')) return [key, Int32Array.from(value as number[])];
		if (key.endsWith('scores')) return [key, Float32Array.from(value as number[])];
		return [key, value as GgufValue];
	});
	const metadata = new Map(typed);
	for (const [key, value] of Object.entries(other)) {
		if (value === undefined) metadata.delete(`tokenizer.${key}`);
		else metadata.set(`tokenizer.${key}`, value);
	}
	return metadata;
}

function build(metadata: GgufMetadata) {
	const files = tokenizerOf({ metadata, path: 'model.gguf' })!;
	return buildTokenizer({
		bytes: new Uint8Array(),
		json: files['tokenizer.json'],
		place: 'tokenizer.json',
		config: { json: files['tokenizer_config.json'], place: 'tokenizer_config.json' },
	});
}

const titled = cases.map((each) => ({
	...each,
	title: `${each.metadata['tokenizer.ggml.pre'] ?? `llama, prefix ${each.metadata['tokenizer.ggml.add_space_prefix']}`}`,
}));

// scripts/goldens/gguf-tokenizers.py asks the reference implementation.
test.each(titled)('$title gives the ids of the reference implementation', ({ metadata, rows }) => {
	const tokenizer = build(metadataOf(metadata));
	expect(rows.length).toBeGreaterThan(10);
	for (const { text, ids, idsAsText } of rows) {
		expect([...tokenizer.encode(text)], text).toEqual(idsAsText);
		expect([...tokenizer.encode(text, { specialTokensAsText: false })], text).toEqual(ids);
	}
	expect(tokenizer.separatorId).toBe(metadata['tokenizer.ggml.eos_token_id']);
});

const [gpt2, llama] = [cases[0]!.metadata, cases.at(-2)!.metadata];

test('what stands around a text is as the file says, and as the kind has it where it does not', () => {
	const around = (json: Case['metadata'], other: Record<string, GgufValue | undefined> = {}) => {
		const tokenizer = build(metadataOf(json, other));
		const [plain, whole] = [tokenizer.encode('x'), tokenizer.encode('x', { addSpecialTokens: true })];
		const at = whole.indexOf(plain[0]!);
		return [[...whole.slice(0, at)], [...whole.slice(at + plain.length)]];
	};
	expect(around(gpt2)).toEqual([[], []]);
	expect(around(llama)).toEqual([[1], []]);
	expect(around(llama, { 'ggml.add_bos_token': false, 'ggml.add_eos_token': true })).toEqual([[], [2]]);
	const ids = { 'ggml.bos_token_id': 3, 'ggml.add_bos_token': true };
	expect(around(gpt2, ids)).toEqual([[3], []]);
});

test('a word that spells a special token is no token, even where whole words are looked up', () => {
	const tokens = { 'ggml.tokens': ['a', 'b', 'ab'], 'ggml.merges': [], 'ggml.eos_token_id': 2 };
	const types = (last: number) => ({ 'ggml.token_type': Int32Array.of(1, 1, last) });
	const encode = (last: number) =>
		build(metadataOf(gpt2, { 'ggml.pre': 'llama-bpe', ...tokens, ...types(last) })).encode('ab');
	expect([...encode(3)]).toEqual([0, 1]);
	expect([...encode(1)]).toEqual([2]);
});

describe('a tokenizer that would be read wrongly is refused by name', () => {
	const tokens = ['a', 'b'];
	const small = {
		'tokenizer.ggml.model': 'gpt2',
		'tokenizer.ggml.pre': 'gpt-2',
		'tokenizer.ggml.tokens': tokens,
	};
	test.each<[string, Record<string, GgufValue | undefined>, string, string]>([
		['another kind', { 'ggml.model': 'bert' }, 'GGUF_UNSUPPORTED', '"bert"'],
		['another way to split texts', { 'ggml.pre': 'tekken' }, 'GGUF_UNSUPPORTED', '"tekken"'],
		['no way to split texts', { 'ggml.pre': undefined }, 'GGUF_UNSUPPORTED', 'found nothing'],
		['a key that is not known', { 'ggml.lowercase': true }, 'GGUF_UNSUPPORTED', 'ggml.lowercase'],
		[
			'a normaliser',
			{ 'ggml.precompiled_charsmap': Uint8Array.of(1) },
			'GGUF_UNSUPPORTED',
			'precompiled_charsmap',
		],
		[
			'white space that is removed',
			{ 'ggml.remove_extra_whitespaces': true },
			'GGUF_UNSUPPORTED',
			'remove_extra',
		],
		['no merges', { 'ggml.merges': undefined }, 'GGUF_FORMAT', 'merges'],
		['a token twice', { 'ggml.tokens': ['a', 'a'] }, 'GGUF_FORMAT', 'twice'],
		['types of other tokens', { 'ggml.token_type': Int32Array.of(1) }, 'GGUF_FORMAT', '2 types'],
		['a type that is none', { 'ggml.token_type': Int32Array.of(1, 7) }, 'GGUF_FORMAT', '2 types'],
		['tokens that are numbers', { 'ggml.tokens': Int32Array.of(1) }, 'GGUF_FORMAT', 'strings'],
		['an end token beyond', { 'ggml.eos_token_id': 2 }, 'GGUF_FORMAT', 'eos_token_id'],
		['a flag that is a number', { 'ggml.add_bos_token': 1 }, 'GGUF_FORMAT', 'true or false'],
		[
			'scores of other tokens',
			{ 'ggml.model': 'llama', 'ggml.scores': Float32Array.of(1) },
			'GGUF_FORMAT',
			'2 numbers',
		],
		[
			'a score that is none',
			{ 'ggml.model': 'llama', 'ggml.scores': Float32Array.of(1, Number.NaN) },
			'GGUF_FORMAT',
			'2 numbers',
		],
	])('%s', (_, other, code, message) => {
		const metadata = metadataOf(small, { 'ggml.merges': [], ...other });
		const error = thrownBy(() => build(metadata));
		expect(error.code).toBe(code);
		expect(error.message).toContain(message);
		expect(error.place).toContain('model.gguf: tokenizer.');
	});

	test('a file without one has none', () => {
		expect(tokenizerOf({ metadata: new Map(), path: 'model.gguf' })).toBeUndefined();
	});
});
