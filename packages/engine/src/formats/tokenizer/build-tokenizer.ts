import { createHash } from 'node:crypto';
import { VulntuneError } from '../../errors.ts';
import { isJsonObject, ownValue, quoteName } from '../json.ts';
import { fileError, parseDefinition, unsupportedError } from './definition.ts';
import { buildLibraryTokenizer, type LibraryTokenizer, type TokenizerDefinition } from './library.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Part of the hash: raised when this code changes which ids a file gives. */
const revision = 1;

/** The files of a tokenizer, parsed. */
export interface TokenizerFiles {
	/** The bytes of tokenizer.json, for the hash. */
	readonly bytes: Uint8Array;
	readonly json: object;
	readonly place: string;
	/** tokenizer_config.json, and special_tokens_map.json for what it leaves out. */
	readonly config: object;
	readonly configPlace: string;
}

/**
 * Builds a tokenizer from a parsed tokenizer.json. Throws `TOKENIZER_FILE` or `TOKENIZER_UNSUPPORTED`; the
 * functions of the result throw `TOKENIZER_FAILED` where a file that passed every check fails on a text.
 */
export function buildTokenizer(files: TokenizerFiles): Tokenizer {
	const { place } = files;
	const definition = parseDefinition(files.json, place);
	const plainDefinition = {
		...definition,
		added_tokens: definition.added_tokens.filter(({ special }) => !special),
	};
	const plain = build(plainDefinition, place);
	// Most texts are only ever read as plain text: the second one is built when it is first needed.
	let cachedFull: LibraryTokenizer | undefined;
	const full = () => (cachedFull ??= build(definition, place));
	const idOfToken = tokenIds(definition);
	const around = specialTokensAround(plain, idOfToken, place);
	const specials = specialIds(files, idOfToken);
	const tokenizer: Tokenizer = {
		place,
		encode(text, { addSpecialTokens = false, specialTokensAsText = true } = {}) {
			const library = specialTokensAsText ? plain : full();
			const { ids } = guard(place, () => library.encode(text, { add_special_tokens: false }));
			return addSpecialTokens ? join([...around.before, ...ids, ...around.after]) : join(ids);
		},
		decode(ids, { skipSpecialTokens = false } = {}) {
			return guard(place, () => {
				const library = full();
				const known = [...ids].filter((id) => library.id_to_token(id) !== undefined);
				return known.length === 0 ? '' : library.decode(known, { skip_special_tokens: skipSpecialTokens });
			});
		},
		vocabularySize: largestId(idOfToken) + 1,
		...specials,
		specialTokenIds: new Set(definition.added_tokens.filter(({ special }) => special).map(({ id }) => id)),
		hash: createHash('sha256').update(`tokenizer ${revision}\n`).update(files.bytes).digest('hex'),
	};
	probe(tokenizer);
	return tokenizer;
}

function build(definition: TokenizerDefinition, place: string): LibraryTokenizer {
	try {
		return buildLibraryTokenizer(definition);
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

/** As in the reference implementation, a character without a token leaves nothing where there is no unknown token. */
function join(ids: readonly (number | undefined)[]): Int32Array<ArrayBuffer> {
	return Int32Array.from(ids.filter((id) => id !== undefined));
}

function tokenIds(definition: TokenizerDefinition): ReadonlyMap<string, number> {
	const ids = new Map<string, number>(Object.entries(definition.model.vocab));
	for (const { content, id } of definition.added_tokens) ids.set(content, id);
	return ids;
}

function largestId(idOfToken: ReadonlyMap<string, number>): number {
	let largest = -1;
	for (const id of idOfToken.values()) if (id > largest) largest = id;
	return largest;
}

/** What the template puts before and after a text: found by giving it a text that is one marker. */
function specialTokensAround(
	library: LibraryTokenizer,
	idOfToken: ReadonlyMap<string, number>,
	root: string,
): { readonly before: readonly number[]; readonly after: readonly number[] } {
	const place = `${root}: post_processor`;
	if (library.post_processor === null) return { before: [], after: [] };
	const marker = '\u0000text\u0000';
	let tokens: unknown;
	try {
		tokens = library.post_processor.post_process([marker], null, true).tokens;
	} catch (cause) {
		throw unsupportedError(`the template cannot be used: ${reasonOf(cause)}`, place, cause);
	}
	if (!Array.isArray(tokens) || tokens.filter((token) => token === marker).length !== 1) {
		throw fileError('the template must hold the text once', place);
	}
	const idOf = (token: unknown) => {
		const id = typeof token === 'string' ? idOfToken.get(token) : undefined;
		if (id === undefined)
			throw fileError(`the template names ${quoteName(String(token))}, which is no token`, place);
		return id;
	};
	const position = tokens.indexOf(marker);
	return { before: tokens.slice(0, position).map(idOf), after: tokens.slice(position + 1).map(idOf) };
}

type SpecialIds = Pick<Tokenizer, 'bosTokenId' | 'eosTokenId' | 'padTokenId' | 'separatorId'>;

function specialIds(
	{ config, configPlace }: TokenizerFiles,
	idOfToken: ReadonlyMap<string, number>,
): SpecialIds {
	const find = (name: string) => {
		const value = ownValue(config, name) ?? undefined;
		const content = isJsonObject(value) ? ownValue(value, 'content') : value;
		if (content === undefined) return undefined;
		const id = typeof content === 'string' ? idOfToken.get(content) : undefined;
		if (id !== undefined) return id;
		throw fileError(
			`${quoteName(String(content))} is not a token of tokenizer.json`,
			`${configPlace}: ${name}`,
		);
	};
	const eosTokenId = find('eos_token');
	return {
		bosTokenId: find('bos_token'),
		eosTokenId,
		padTokenId: find('pad_token'),
		separatorId: eosTokenId ?? find('sep_token'),
	};
}

/** So that a file that cannot work fails on opening and not in the middle of a dataset. */
function probe(tokenizer: Tokenizer): void {
	const ids = tokenizer.encode('int main() {\n\treturn "\u00e9" + 1;\n}');
	const outside = ids.find((id) => id < 0 || id >= tokenizer.vocabularySize);
	if (outside !== undefined) throw fileError(`a text gives the id ${outside}`, tokenizer.place);
}
