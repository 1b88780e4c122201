import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { endOfText, trainTokenizer } from './train-tokenizer.ts';
import { tokenizerConfigJson, tokenizerJson, writeTokenizer } from './write-tokenizer.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));

const texts = [
	'public int total(List<Integer> items) {\n\tint sum = 0;\n\tfor (int item : items) sum += item;\n\treturn sum;\n}',
	'public boolean isEmpty() { return items.size() == 0; }',
	'String label = "größe: " + items.size(); // 100 %',
];
const trained = trainTokenizer(texts, { vocabularySize: 320 });
const library = new Tokenizer(tokenizerJson(trained), tokenizerConfigJson());

test('the library reads the written files and gives the ids of the vocabulary', () => {
	const target = path.join(folder, 'model');
	writeTokenizer(target, trained);
	const read = (name: string) => JSON.parse(readFileSync(path.join(target, name), 'utf8'));
	const opened = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
	for (const text of texts) {
		const { ids, tokens } = opened.encode(text);
		expect(ids).toEqual(tokens.map((token: string) => trained.vocabulary.get(token)));
		expect(opened.decode(ids)).toBe(text);
	}
});

test('merges shorten the texts that they were learned from', () => {
	const bytes = new TextEncoder().encode(texts[0]).length;
	expect(library.encode(texts[0]!).ids.length).toBeLessThan(0.7 * bytes);
});

const sign = fc.constantFrom(...'aZ_09 .;\t\n({"\'é߀中\u0000\u00a0\u2028👍🏽');

test('any text survives the way there and back', () => {
	fc.assert(
		fc.property(fc.string({ unit: sign, minLength: 1, maxLength: 60 }), (text) => {
			expect(library.decode(library.encode(text).ids)).toBe(text);
		}),
		{ numRuns: 200, seed: 1 },
	);
});

test('the end of text is one token with id 0, also inside of a text', () => {
	expect(library.encode(endOfText).ids).toEqual([0]);
	const { ids } = library.encode(`int${endOfText}int`);
	expect(ids.filter((id: number) => id === 0)).toHaveLength(1);
	expect(library.decode(ids, { skip_special_tokens: true })).toBe('intint');
});
