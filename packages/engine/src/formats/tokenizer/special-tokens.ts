import { describeJson, isJsonObject, ownValue, quoteName } from '../json.ts';
import { refuseUnknownKeys } from '../known-keys.ts';
import type { AddedToken } from './added-tokens.ts';
import { parseAddedToken, type TokenizerDefinition } from './definition.ts';
import type { Tokenizer } from './tokenizer.ts';
import { formatError, unsupportedError } from './tokenizer-errors.ts';
import type { NamedJson, TokenizerFiles } from './tokenizer-files.ts';
import { specialTokensMapKeys, tokenizerConfigKeys } from './tokenizer-keys.ts';

type SpecialIds = Pick<Tokenizer, 'bosTokenId' | 'eosTokenId' | 'padTokenId' | 'separatorId'>;

/**
 * The ids of the special tokens that tokenizer_config.json names, and special_tokens_map.json where it leaves one out.
 * Undefined for a token that no file gives an id: nothing here pads or begins a text with one, and who needs the end token
 * says so. Throws `TOKENIZER_FILE` where the two files name different end tokens, with which each function is closed.
 */
export function specialIds(files: TokenizerFiles, idOfToken: ReadonlyMap<string, number>): SpecialIds {
	const { config, specialTokensMap } = files;
	const elsewhere = new Map(tokensElsewhere(files).map(({ id, content }) => [content, id]));
	const nameIn = (file: NamedJson | undefined, name: string) => {
		const value = file && (ownValue(file.json, name) ?? undefined);
		return isJsonObject(value) ? ownValue(value, 'content') : value;
	};
	const find = (name: string) => {
		const content = nameIn(config, name) ?? nameIn(specialTokensMap, name);
		return typeof content === 'string' ? (idOfToken.get(content) ?? elsewhere.get(content)) : undefined;
	};
	const [end, otherEnd] = [nameIn(config, 'eos_token'), nameIn(specialTokensMap, 'eos_token')];
	if (end !== undefined && otherEnd !== undefined && end !== otherEnd) {
		const message = `${describeJson(otherEnd)} is the end token here, and ${describeJson(end)} in ${config!.place}`;
		throw formatError(message, `${specialTokensMap!.place}: eos_token`);
	}
	const eosTokenId = find('eos_token');
	return {
		// BERT's tokenizers name the token that begins a text by its use
		bosTokenId: find('bos_token') ?? find('cls_token'),
		eosTokenId,
		padTokenId: find('pad_token'),
		// an end token without an id is no reason to close functions with another
		separatorId: end === undefined && otherEnd === undefined ? find('sep_token') : eosTokenId,
	};
}

/**
 * Checks the files beside tokenizer.json: each of their keys is used, known to change nothing, or refused by name, and so is
 * each token that they add. One that isn't special would split texts: it must be in tokenizer.json, and the same there.
 */
export function checkTokensElsewhere(files: TokenizerFiles, definition: TokenizerDefinition): void {
	const { config, specialTokensMap } = files;
	for (const [file, table] of [
		[config, tokenizerConfigKeys],
		[specialTokensMap, specialTokensMapKeys],
	] as const) {
		if (file === undefined) continue;
		refuseUnknownKeys(withoutNamedTokens(file.json), table, (key, message) =>
			unsupportedError(message, `${file.place}: ${key}`),
		);
	}
	const known = new Map(definition.added_tokens.map((token) => [token.content, token]));
	for (const { place, isDescribed, ...token } of tokensElsewhere(files)) {
		const own = known.get(token.content);
		const id = own?.id ?? ownValue(definition.model.vocab, token.content) ?? token.id;
		if (id !== token.id) {
			throw formatError(
				`${quoteName(token.content)} has id ${token.id} here and ${id} in tokenizer.json`,
				place,
			);
		}
		const isSpecial = token.special || isNamed(files, token.content);
		const changesTexts =
			own === undefined ? !isSpecial : isDescribed && !(isSpecial && own.special) && !isSameToken(own, token);
		if (!changesTexts) continue;
		const how = own === undefined ? 'is no added token' : 'has other settings';
		throw unsupportedError(`${quoteName(token.content)} ${how} in tokenizer.json`, place);
	}
	checkPrefixSpace(files, definition);
	checkBertNormalizer(files, definition);
}

/** Tokens of special names, as a model may have more of (`image_token`): read as plain text where a text spells them. */
function withoutNamedTokens(json: object): object {
	return Object.fromEntries(Object.entries(json).filter(([key]) => !/_tokens?(_id)?$/.test(key)));
}

function isNamed({ config, specialTokensMap }: TokenizerFiles, content: string): boolean {
	return [config, specialTokensMap].some((file) =>
		Object.entries(file?.json ?? {}).some(
			([key, value]) =>
				key.endsWith('_token') &&
				(value === content || (isJsonObject(value) && ownValue(value, 'content') === content)),
		),
	);
}

interface TokenElsewhere extends AddedToken {
	readonly place: string;
	/** Whether the file says more of it than its id. */
	readonly isDescribed: boolean;
}

/** The tokens of `added_tokens_decoder` in tokenizer_config.json; without it, those of added_tokens.json, as transformers. */
function tokensElsewhere({ config, addedTokens }: TokenizerFiles): readonly TokenElsewhere[] {
	const decoder = config && (ownValue(config.json, 'added_tokens_decoder') ?? undefined);
	if (decoder !== undefined) {
		const place = `${config!.place}: added_tokens_decoder`;
		if (!isJsonObject(decoder))
			throw formatError(`an object is expected, found ${describeJson(decoder)}`, place);
		return Object.entries(decoder).map(([id, token]) => {
			const here = `${place}: ${id}`;
			return { ...parseAddedToken(token, Number(id), here), place: here, isDescribed: true };
		});
	}
	return Object.entries(addedTokens?.json ?? {}).map(([content, id]) => {
		const here = `${addedTokens!.place}: ${quoteName(content)}`;
		return { ...parseAddedToken({ content }, id, here), place: here, isDescribed: false };
	});
}

function isSameToken(a: AddedToken, b: AddedToken): boolean {
	const flags = ['special', 'normalized', 'lstrip', 'rstrip', 'singleWord'] as const;
	return flags.every((flag) => a[flag] === b[flag]);
}

/** transformers writes `add_prefix_space` of tokenizer_config.json over that of a byte-level step. */
function checkPrefixSpace({ config }: TokenizerFiles, { pre_tokenizer }: TokenizerDefinition): void {
	const asked = config && (ownValue(config.json, 'add_prefix_space') ?? undefined);
	const steps = pre_tokenizer?.pretokenizers ?? [pre_tokenizer];
	const byteLevel = steps.find((step) => step?.type === 'ByteLevel');
	if (asked === undefined || !byteLevel || asked === (byteLevel.add_prefix_space ?? false)) return;
	const message = `${describeJson(asked)} here, but ${byteLevel.add_prefix_space} in tokenizer.json`;
	throw unsupportedError(message, `${config!.place}: add_prefix_space`);
}

/** Keys of tokenizer_config.json that transformers writes over a BertNormalizer's own. */
const normalizerKeys = {
	do_lower_case: 'lowercase',
	strip_accents: 'strip_accents',
	tokenize_chinese_chars: 'handle_chinese_chars',
} as const;

/** Refuses what tokenizer_config.json asks of normalisation where tokenizer.json does otherwise. */
function checkBertNormalizer({ config }: TokenizerFiles, { normalizer }: TokenizerDefinition): void {
	const steps = normalizer?.normalizers ?? [normalizer];
	const bert = steps.find((step) => step?.type === 'BertNormalizer');
	for (const [key, name] of Object.entries(normalizerKeys)) {
		const asked = config && (ownValue(config.json, key) ?? undefined);
		const own = bert?.[name as keyof typeof bert] ?? (name === 'strip_accents' && bert?.lowercase === true);
		if (asked === undefined || asked === own) continue;
		const found = bert === undefined ? 'has no BertNormalizer that would do so' : `has ${name}: ${own}`;
		throw unsupportedError(
			`${describeJson(asked)} here, but tokenizer.json ${found}`,
			`${config!.place}: ${key}`,
		);
	}
}
