import { createHash } from 'node:crypto';
import { VulntuneError } from '../../errors.ts';
import { createAddedTokenSplitter } from './added-tokens.ts';
import { parseDefinition, type TokenizerDefinition } from './definition.ts';
import { buildDecoding, buildWordSplitter, type LibraryDecoding } from './library.ts';
import { buildNormalizer } from './normalizers.ts';
import { specialTokensAround } from './post-processor.ts';
import { buildPreTokenizer } from './pre-tokenizers.ts';
import { checkTokensElsewhere, specialIds } from './special-tokens.ts';
import type { Tokenizer } from './tokenizer.ts';
import { formatError, unsupportedError } from './tokenizer-errors.ts';
import type { TokenizerFiles } from './tokenizer-files.ts';
import { createWordCache } from './word-cache.ts';

/** Part of the hash: raised when this code changes which ids a file gives. */
const revision = 2;

/**
 * Builds a tokenizer from a parsed tokenizer.json. Throws `TOKENIZER_FILE` or `TOKENIZER_UNSUPPORTED`; the
 * functions of the result throw `TOKENIZER_FAILED` where a file that passed every check fails on a text.
 */
export function buildTokenizer(files: TokenizerFiles): Tokenizer {
	const { place } = files;
	const definition = parseDefinition(files.json, place);
	const { encodeText, encodePlainText } = attempt(place, () => buildEncoding(definition));
	// Most tokenizers never turn ids into text: what does is built when it is first needed.
	let cachedDecoding: LibraryDecoding | undefined;
	const decoding = () => (cachedDecoding ??= buildDecoding(definition));
	const idOfToken = tokenIds(definition);
	checkTokensElsewhere(files, definition);
	const around = specialTokensAround(definition.post_processor, idOfToken, `${place}: post_processor`);
	const specials = specialIds(files, idOfToken);
	const tokenizer: Tokenizer = {
		place,
		encode(text, { addSpecialTokens = false, specialTokensAsText = true } = {}) {
			// A lone surrogate is no character: it becomes a replacement character, as where text is written out.
			const wellFormed = text.toWellFormed();
			const ids = guard(place, () => (specialTokensAsText ? encodePlainText : encodeText)(wellFormed));
			return Int32Array.from(addSpecialTokens ? [...around.before, ...ids, ...around.after] : ids);
		},
		decode(ids, { skipSpecialTokens = false } = {}) {
			return guard(place, () => {
				const library = decoding();
				const known = [...ids].filter((id) => library.id_to_token(id) !== undefined);
				return known.length === 0 ? '' : library.decode(known, { skip_special_tokens: skipSpecialTokens });
			});
		},
		vocabularySize: largestId(idOfToken.values()) + 1,
		textVocabularySize: largestId(textIds(definition)) + 1,
		...specials,
		specialTokenIds: new Set(definition.added_tokens.filter(({ special }) => special).map(({ id }) => id)),
		hash: createHash('sha256').update(`tokenizer ${revision}\n`).update(files.bytes).digest('hex'),
	};
	probe(tokenizer);
	return tokenizer;
}

/** Text to ids: with added tokens found in it, and with those that are special read as plain text. */
function buildEncoding(definition: TokenizerDefinition) {
	const normalize = buildNormalizer(definition.normalizer);
	const preTokenize = buildPreTokenizer(definition.pre_tokenizer);
	const splitWord = buildWordSplitter(definition.model);
	const idsOfWords = createWordCache<readonly number[]>();
	const idsOf = (word: string) => {
		const known = idsOfWords.get(word);
		if (known !== undefined) return known;
		const ids = splitWord(word);
		idsOfWords.put(word, ids);
		return ids;
	};
	const encoding = (specialsAsText: boolean) => {
		const split = createAddedTokenSplitter(definition.added_tokens, normalize, specialsAsText);
		return (text: string) => {
			const ids: number[] = [];
			for (const piece of split(text)) {
				if ('id' in piece) ids.push(piece.id);
				else
					for (const word of preTokenize(piece.text, piece.isFirst))
						for (const id of idsOf(word)) ids.push(id);
			}
			return ids;
		};
	};
	return { encodeText: encoding(false), encodePlainText: encoding(true) };
}

function attempt<T>(place: string, action: () => T): T {
	try {
		return action();
	} catch (cause) {
		throw unsupportedError(`the tokenizer cannot be built: ${reasonOf(cause)}`, place, cause);
	}
}

function guard<T>(place: string, action: () => T): T {
	try {
		return action();
	} catch (cause) {
		throw new VulntuneError({
			code: 'TOKENIZER_FAILED',
			kind: 'runtime',
			message: `the tokenizer failed on a text: ${reasonOf(cause)}`,
			place,
			remedy: 'The file asks for something that cannot be done: download or export the tokenizer again.',
			cause,
		});
	}
}

function reasonOf(cause: unknown): string {
	return (cause instanceof Error ? cause.message : String(cause)).slice(0, 200);
}

function tokenIds(definition: TokenizerDefinition): ReadonlyMap<string, number> {
	const ids = new Map<string, number>(Object.entries(definition.model.vocab));
	for (const { content, id } of definition.added_tokens) ids.set(content, id);
	return ids;
}

/** The ids of all tokens but the special ones. */
function textIds({ model, added_tokens }: TokenizerDefinition): number[] {
	const added = new Map(added_tokens.map((token) => [token.content, token]));
	const plain = Object.entries(model.vocab).filter(([content]) => !added.get(content)?.special);
	return [
		...plain.map(([, id]) => id),
		...added_tokens.filter(({ special }) => !special).map(({ id }) => id),
	];
}

function largestId(ids: Iterable<number>): number {
	let largest = -1;
	for (const id of ids) if (id > largest) largest = id;
	return largest;
}

/** So that a file that cannot work fails on opening and not in the middle of a dataset. */
function probe(tokenizer: Tokenizer): void {
	const ids = tokenizer.encode('int main() {\n\treturn "\u00e9" + 1;\n}');
	const outside = ids.find((id) => id < 0 || id >= tokenizer.vocabularySize);
	if (outside !== undefined) throw formatError(`a text gives the id ${outside}`, tokenizer.place);
}
