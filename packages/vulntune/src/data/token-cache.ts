import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeFolder } from '@vulntune/engine/formats/files.ts';

/** Where token ids are kept unless a caller says otherwise. */
export function defaultTokenCacheFolder(): string {
	return path.join(os.homedir(), '.cache', 'vulntune', 'tokens');
}

const digestBytes = 32;

/**
 * The cached tokens of `rows` rows; undefined where there are none or the file is not whole.
 * Layout: SHA-256 of the rest, then int32 in little-endian order: the length of each row, then all ids.
 */
export async function readTokenCache(
	folder: string,
	key: string,
	rows: number,
): Promise<Int32Array[] | undefined> {
	const bytes = await readFile(cacheFile(folder, key)).catch(() => undefined);
	if (bytes === undefined || bytes.length < digestBytes) return undefined;
	const body = bytes.subarray(digestBytes);
	if (!digest(body).equals(bytes.subarray(0, digestBytes))) return undefined;
	// A copy, because a Buffer of the pool need not start at a multiple of four.
	const words = new Int32Array(Uint8Array.from(body).buffer, 0, body.length >> 2);
	const lengths = words.subarray(0, rows);
	const total = lengths.reduce((sum, length) => sum + length, rows);
	if (lengths.length !== rows || total !== words.length) return undefined;
	let start = rows;
	return Array.from(lengths, (length) => words.subarray(start, (start += length)));
}

/**
 * Written beside its place and renamed, so that a reader never sees half of it. Failures are not errors: the cache saves
 * time and holds nothing else.
 */
export async function writeTokenCache(
	folder: string,
	key: string,
	tokens: readonly Int32Array[],
): Promise<void> {
	const size = tokens.reduce((sum, row) => sum + row.length, tokens.length);
	const words = new Int32Array(size);
	let position = tokens.length;
	for (const [index, row] of tokens.entries()) {
		words[index] = row.length;
		words.set(row, position);
		position += row.length;
	}
	const body = Buffer.from(words.buffer);
	const file = cacheFile(folder, key);
	const temporary = `${file}.${randomUUID()}.tmp`;
	try {
		makeFolder(folder);
		await writeFile(temporary, Buffer.concat([digest(body), body]));
		await rename(temporary, file);
	} catch {
		await rm(temporary, { force: true }).catch(() => undefined);
	}
}

function cacheFile(folder: string, key: string): string {
	return path.join(folder, `${key}.tokens`);
}

function digest(bytes: Uint8Array): Buffer {
	return createHash('sha256').update(bytes).digest();
}
