import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { needsShared } from '../../../../../tests/shared.ts';
import { readModelConfig } from '../../models/model-folder.ts';
import { checkTokenizer, loadTokenizer } from './load-tokenizer.ts';

const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

const fixtures = needsShared('fixtures/tokenizers');

interface GoldenRow {
	readonly ids: readonly number[];
	readonly ids_special_tokens_as_text?: readonly number[];
	readonly decoded?: string;
	readonly decoded_skip_special?: string;
}

describe.skipIf(fixtures.skip)('fixtures/tokenizers', () => {
	const names = fixtures.skip
		? []
		: readdirSync(fixtures.path, { withFileTypes: true })
				.filter((entry) => entry.isDirectory())
				.map(({ name }) => name);

	test.each(names)('%s: the ids and the decoded text of every row', (name) => {
		const texts: readonly string[] = readJson(path.join(fixtures.path, 'texts.json')).texts;
		const golden = readJson(path.join(fixtures.path, name, 'golden.json'));
		const rows: readonly GoldenRow[] = golden.rows;
		const tokenizer = loadTokenizer(path.join(fixtures.path, name));
		expect(tokenizer.vocabularySize).toBe(golden.vocab_size);
		expect(rows).toHaveLength(texts.length);
		texts.forEach((text, index) => {
			const { ids, ids_special_tokens_as_text, decoded, decoded_skip_special } = rows[index]!;
			const withSpecials = { addSpecialTokens: true, specialTokensAsText: false };
			expect([...tokenizer.encode(text, withSpecials)]).toEqual(ids);
			const asText = tokenizer.encode(text, { addSpecialTokens: true });
			expect([...asText]).toEqual(ids_special_tokens_as_text ?? ids);
			expect(tokenizer.decode(ids)).toBe(decoded ?? text);
			expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decoded_skip_special ?? text);
		});
	});
});

const real = needsShared('fixtures/real/texts.json');
const smollm = needsShared('models/smollm2-135m');

describe.skipIf(real.skip || smollm.skip)('the tokenizer of SmolLM2', () => {
	test('gives the ids of fixtures/real/texts.json and fits the config', () => {
		const tokenizer = loadTokenizer(smollm.path);
		const config = readModelConfig(smollm.path);
		checkTokenizer(tokenizer, config);
		expect(tokenizer).toMatchObject({
			bosTokenId: config.bosTokenId,
			eosTokenId: config.eosTokenIds[0],
			padTokenId: config.padTokenId,
			separatorId: config.eosTokenIds[0],
		});
		const rows: readonly { text: string; ids: readonly number[] }[] = readJson(real.path);
		expect(rows.length).toBeGreaterThan(0);
		for (const { text, ids } of rows) {
			expect([...tokenizer.encode(text)]).toEqual(ids);
			expect(tokenizer.decode(ids)).toBe(text);
		}
	});
});
