import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tokenizeRows } from './tokenize.ts';

const rows = [{ code: 'a  b' }, { code: '' }, { code: 'c\n\td' }];
/** One id per UTF-16 unit; counts its calls, to tell a cached answer from a new one. */
function countingTokenizer(hash = 'one') {
	const tokenizer = {
		hash,
		calls: 0,
		encode(text: string): number[] {
			tokenizer.calls += 1;
			return Array.from(text, (character) => character.charCodeAt(0));
		},
	};
	return tokenizer;
}

let cacheFolder: string;
beforeEach(async () => {
	cacheFolder = await mkdtemp(path.join(os.tmpdir(), 'vulntune-tokens-'));
});
afterEach(() => rm(cacheFolder, { recursive: true, force: true }));

describe('tokens of rows', () => {
	it('come from the text with or without its white space', async () => {
		const kept = await tokenizeRows(rows, countingTokenizer(), { collapseWhitespace: false });
		expect(kept.map((ids) => String.fromCharCode(...ids))).toEqual(['a  b', '', 'c\n\td']);
		const collapsed = await tokenizeRows(rows, countingTokenizer(), { collapseWhitespace: true });
		expect(collapsed.map((ids) => String.fromCharCode(...ids))).toEqual(['a b', '', 'c d']);
	});

	it('are read from the cache the second time', async () => {
		const options = { collapseWhitespace: true, cacheFolder };
		const first = await tokenizeRows(rows, countingTokenizer(), options);
		const tokenizer = countingTokenizer();
		expect(await tokenizeRows(rows, tokenizer, options)).toEqual(first);
		expect(tokenizer.calls).toBe(0);
	});

	it('are made anew for another tokenizer, another option, other texts or another cut between texts', async () => {
		const options = { collapseWhitespace: true, cacheFolder };
		await tokenizeRows(rows, countingTokenizer(), options);
		const others = [
			[rows, 'two', true],
			[rows, 'one', false],
			[rows.slice(1), 'one', true],
			[[{ code: 'a' }, { code: ' b' }, { code: 'c d' }], 'one', false],
			[[{ code: 'a ' }, { code: 'b' }, { code: 'c d' }], 'one', false],
		] as const;
		for (const [texts, hash, collapse] of others) {
			const tokenizer = countingTokenizer(hash);
			await tokenizeRows(texts, tokenizer, { collapseWhitespace: collapse, cacheFolder });
			expect(tokenizer.calls).toBe(texts.length);
		}
	});

	it('are made anew where the cached file is damaged', async () => {
		const options = { collapseWhitespace: true, cacheFolder };
		const first = await tokenizeRows(rows, countingTokenizer(), options);
		const names = await readdir(cacheFolder);
		expect(names).toHaveLength(1);
		const file = path.join(cacheFolder, names[0]!);
		const whole = await readFile(file);
		const flipped = Buffer.from(whole);
		flipped[whole.length - 1]! ^= 1;
		for (const damaged of [flipped, whole.subarray(0, whole.length - 4), Buffer.alloc(0)]) {
			await writeFile(file, damaged);
			const tokenizer = countingTokenizer();
			expect(await tokenizeRows(rows, tokenizer, options)).toEqual(first);
			expect(tokenizer.calls).toBe(rows.length);
			expect(await readFile(file)).toEqual(whole);
		}
	});

	it('come without a cache where its folder cannot be made', async () => {
		const file = path.join(cacheFolder, 'file');
		await writeFile(file, '');
		const options = { collapseWhitespace: true, cacheFolder: path.join(file, 'below') };
		expect(await tokenizeRows(rows, countingTokenizer(), options)).toHaveLength(3);
	});
});
