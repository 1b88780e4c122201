import { createHash } from 'node:crypto';
import type { FunctionRow } from './row.ts';
import { readTokenCache, writeTokenCache } from './token-cache.ts';
import { collapseWhitespace } from './whitespace.ts';

/** What the data room needs of a tokenizer. */
export interface TextTokenizer {
	/** Ids of a text, special tokens written in it treated as plain text, none added. */
	encode(text: string): ArrayLike<number>;
	/** Changes with anything that changes what `encode` returns. */
	readonly hash: string;
}

export interface TokenizeOptions {
	readonly collapseWhitespace: boolean;
	/** Where token ids are kept between runs; nothing is kept without it. */
	readonly cacheFolder?: string;
}

/**
 * Token ids of each row, [rows] of [tokens].
 *
 * The cache is keyed by the texts themselves, the tokenizer's hash and the format, so it can be stale for no reason; a
 * damaged file is made again, and a folder that can't be written costs only the time of the next run.
 */
export async function tokenizeRows(
	rows: readonly Pick<FunctionRow, 'code'>[],
	tokenizer: TextTokenizer,
	options: TokenizeOptions,
): Promise<Int32Array[]> {
	const texts = rows.map(({ code }) => (options.collapseWhitespace ? collapseWhitespace(code) : code));
	if (options.cacheFolder === undefined) return texts.map(encode);

	const key = cacheKey(texts, tokenizer.hash);
	const cached = await readTokenCache(options.cacheFolder, key, texts.length);
	if (cached !== undefined) return cached;
	const tokens = texts.map(encode);
	await writeTokenCache(options.cacheFolder, key, tokens);
	return tokens;

	function encode(text: string): Int32Array {
		return Int32Array.from(tokenizer.encode(text));
	}
}

function cacheKey(texts: readonly string[], tokenizerHash: string): string {
	const hash = createHash('sha256').update(`tokens 1\n${tokenizerHash}\n`);
	for (const text of texts) hash.update(`${text.length}\n`).update(text);
	return hash.digest('hex');
}
