import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../files.ts';
import type { Tokenizer } from './tokenizer.ts';

/** What is known of a tokenizer that was built before. */
interface TokenizerFacts {
	readonly hash: string;
	readonly vocabularySize: number;
	readonly textVocabularySize: number;
	readonly specialTokenIds: readonly number[];
	readonly bosTokenId?: number;
	readonly eosTokenId?: number;
	readonly padTokenId?: number;
	readonly separatorId?: number;
}

/** Part of the key: raised when what is kept, or how it is found, changes. */
const format = 3;

/**
 * A tokenizer that is built when the first text is given to it: a run whose texts were tokenised before needs only its
 * numbers, and building takes longer than reading a model. What files of these very bytes gave is kept in `folder`; the
 * first time the tokenizer is built at once, so that faulty files fail on opening. Failures to keep it are not errors.
 *
 * @param files the bytes that the tokenizer is made of
 */
export function rememberTokenizer(
	folder: string,
	files: readonly Uint8Array[],
	place: string,
	build: () => Tokenizer,
): Tokenizer {
	const file = path.join(folder, `${keyOf(files)}.tokenizer.json`);
	const facts = readFacts(file);
	if (facts === undefined) {
		const tokenizer = build();
		keep(file, tokenizer);
		return tokenizer;
	}
	let built: Tokenizer | undefined;
	const whole = () => (built ??= build());
	return {
		place,
		encode: (text, options) => whole().encode(text, options),
		decode: (ids, options) => whole().decode(ids, options),
		vocabularySize: facts.vocabularySize,
		textVocabularySize: facts.textVocabularySize,
		bosTokenId: facts.bosTokenId,
		eosTokenId: facts.eosTokenId,
		padTokenId: facts.padTokenId,
		separatorId: facts.separatorId,
		specialTokenIds: new Set(facts.specialTokenIds),
		hash: facts.hash,
	};
}

function keyOf(files: readonly Uint8Array[]): string {
	const hash = createHash('sha256').update(`tokenizer facts ${format}\n`);
	for (const bytes of files) hash.update(`${bytes.length}\n`).update(bytes);
	return hash.digest('hex');
}

function readFacts(file: string): TokenizerFacts | undefined {
	try {
		const facts = JSON.parse(readFileSync(file, 'utf8')) as TokenizerFacts;
		return Number.isSafeInteger(facts.vocabularySize) && Array.isArray(facts.specialTokenIds)
			? facts
			: undefined;
	} catch {
		return undefined;
	}
}

/** Written beside its place and renamed, so that a reader never sees half of it. */
function keep(file: string, tokenizer: Tokenizer): void {
	const { hash, vocabularySize, textVocabularySize, bosTokenId, eosTokenId, padTokenId, separatorId } =
		tokenizer;
	const ids = { bosTokenId, eosTokenId, padTokenId, separatorId };
	const facts = {
		hash,
		vocabularySize,
		textVocabularySize,
		specialTokenIds: [...tokenizer.specialTokenIds],
		...ids,
	};
	const temporary = `${file}.${randomUUID()}.tmp`;
	try {
		makeFolder(path.dirname(file));
		writeFileSync(temporary, JSON.stringify(facts));
		renameSync(temporary, file);
	} catch {
		if (existsSync(temporary)) rmSync(temporary, { force: true });
	}
}
