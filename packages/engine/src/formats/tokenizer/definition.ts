import { describeJson, isJsonObject, ownValue, quoteName } from '../json.ts';
import { refuseUnknownKeys } from '../known-keys.ts';
import type { AddedToken } from './added-tokens.ts';
import { type Component, parseComponent } from './components.ts';
import { formatError, unsupportedError } from './tokenizer-errors.ts';
import { addedTokenKeys, modelKeys, tokenizerKeys, wordPieceKeys } from './tokenizer-keys.ts';

/** What makes tokens of a word: merges of its characters, or the longest pieces that begin it, one after the other. */
export type TokenizerModel =
	| {
			readonly type: 'BPE';
			readonly vocab: object;
			readonly unk_token?: string | null;
			readonly byte_fallback?: boolean;
			readonly ignore_merges?: boolean;
	  }
	| {
			readonly type: 'WordPiece';
			readonly vocab: object;
			readonly unk_token: string;
			readonly continuing_subword_prefix: string;
			readonly max_input_chars_per_word: number;
	  };

/** A checked tokenizer.json. */
export interface TokenizerDefinition {
	readonly model: TokenizerModel;
	readonly added_tokens: readonly AddedToken[];
	readonly normalizer: Component | null;
	readonly pre_tokenizer: Component | null;
	readonly post_processor: Component | null;
	readonly decoder: Component | null;
}

/** Far above any vocabulary; an id beyond it is damage, and would make a huge table. */
const maxTokenId = 2 ** 24;

/**
 * Checks the contents of a tokenizer.json. Throws `TOKENIZER_FILE` where it contradicts itself or is not of
 * the format, `TOKENIZER_UNSUPPORTED` where it calls for something that would be done differently here than
 * in the reference implementation.
 */
export function parseDefinition(json: object, place: string): TokenizerDefinition {
	refuseUnknownKeys(json, tokenizerKeys, (key, message) => unsupportedError(message, `${place}: ${key}`));
	const model = parseModel(ownValue(json, 'model'), place);
	const component = (name: Parameters<typeof parseComponent>[1]) =>
		parseComponent(ownValue(json, name) ?? null, name, `${place}: ${name}`);
	const [normalizer, preTokenizer] = [component('normalizer'), component('pre_tokenizer')];
	refuseFirstAfterRemoval(normalizer, preTokenizer, place);
	return {
		model,
		added_tokens: parseAddedTokens(ownValue(json, 'added_tokens') ?? [], model.vocab, place),
		normalizer,
		pre_tokenizer: preTokenizer,
		post_processor: component('post_processor'),
		decoder: component('decoder'),
	};
}

/**
 * Metaspace's "first" asks whether a word begins the text as it was given. That can't be told where a normaliser, or a step
 * before, may have removed what stood there.
 */
function refuseFirstAfterRemoval(
	normalizer: Component | null,
	preTokenizer: Component | null,
	place: string,
): void {
	const isFirst = (step: Component | null | undefined) => step?.prepend_scheme === 'first';
	const flat = (step: Component | null): readonly (Component | null)[] =>
		step?.pretokenizers?.flatMap(flat) ?? [step];
	const steps = flat(preTokenizer);
	const removes = (step: Component | null): boolean =>
		['BertNormalizer', 'Replace', 'Strip', 'StripAccents'].includes(step?.type ?? '') ||
		(step?.normalizers ?? []).some(removes);
	if (!steps.slice(1).some(isFirst) && !(steps.some(isFirst) && removes(normalizer))) return;
	const message =
		'prepend_scheme "first" is supported in the first step alone, and without removals before it';
	throw unsupportedError(message, `${place}: pre_tokenizer`);
}

function parseModel(model: unknown, root: string): TokenizerModel {
	const place = `${root}: model`;
	if (!isJsonObject(model)) throw formatError(`an object is expected, found ${describeJson(model)}`, place);
	// Files of early versions leave the type out.
	const type = ownValue(model, 'type') ?? 'BPE';
	if (type === 'WordPiece') return parseWordPiece(model, place);
	if (type !== 'BPE') {
		throw unsupportedError(
			`a model of type BPE or WordPiece is expected, found ${describeJson(type)}`,
			place,
		);
	}
	for (const name of ['byte_fallback', 'fuse_unk', 'ignore_merges']) {
		const flag = ownValue(model, name) ?? false;
		if (typeof flag !== 'boolean') throw formatError(`${name} must be true or false`, place);
	}
	for (const name of ['unk_token', 'continuing_subword_prefix', 'end_of_word_suffix']) {
		const text = ownValue(model, name) ?? '';
		if (typeof text !== 'string') throw formatError(`${name} must be a string`, place);
	}
	refuseUnknownKeys(model, modelKeys, (key, message) => unsupportedError(message, `${place}: ${key}`));
	const vocab = parseVocabulary(ownValue(model, 'vocab'), place);
	checkMerges(ownValue(model, 'merges'), vocab, place);
	const unknown = ownValue(model, 'unk_token');
	if (typeof unknown === 'string' && !Object.hasOwn(vocab, unknown)) {
		throw formatError(`unk_token ${quoteName(unknown)} is not in the vocabulary`, place);
	}
	return { ...model, type, vocab };
}

function parseWordPiece(model: object, place: string): TokenizerModel {
	refuseUnknownKeys(model, wordPieceKeys, (key, message) => unsupportedError(message, `${place}: ${key}`));
	const vocab = parseVocabulary(ownValue(model, 'vocab'), place);
	const unknown = ownValue(model, 'unk_token') ?? '[UNK]';
	const prefix = ownValue(model, 'continuing_subword_prefix') ?? '##';
	const longest = ownValue(model, 'max_input_chars_per_word') ?? 100;
	if (typeof unknown !== 'string' || !Object.hasOwn(vocab, unknown)) {
		throw formatError(`unk_token ${describeJson(unknown)} is not in the vocabulary`, place);
	}
	if (typeof prefix !== 'string') throw formatError('continuing_subword_prefix must be a string', place);
	if (typeof longest !== 'number' || !Number.isSafeInteger(longest) || longest < 0) {
		throw formatError('max_input_chars_per_word must be an integer from 0 on', place);
	}
	return {
		type: 'WordPiece',
		vocab,
		unk_token: unknown,
		continuing_subword_prefix: prefix,
		max_input_chars_per_word: longest,
	};
}

function parseVocabulary(vocab: unknown, place: string): object {
	if (!isJsonObject(vocab)) throw formatError(`vocab must be an object, found ${describeJson(vocab)}`, place);
	for (const [token, id] of Object.entries(vocab)) checkId(id, `${place}: vocab: ${quoteName(token)}`);
	return vocab;
}

function checkId(id: unknown, place: string): asserts id is number {
	if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > maxTokenId) {
		throw formatError(`an id from 0 to ${maxTokenId} is expected, found ${describeJson(id)}`, place);
	}
}

/** Both halves of a merge and what they make must be tokens, else merging would end elsewhere. */
function checkMerges(merges: unknown, vocab: object, place: string): void {
	if (!Array.isArray(merges))
		throw formatError(`merges must be a list, found ${describeJson(merges)}`, place);
	const isPairs = Array.isArray(merges[0]);
	merges.forEach((merge: unknown, index) => {
		const parts = isPairs || typeof merge !== 'string' ? merge : merge.split(' ');
		const [left, right] = Array.isArray(parts) ? parts : [];
		const isPair = Array.isArray(parts) && parts.length === 2 && Array.isArray(merge) === isPairs;
		if (!isPair || typeof left !== 'string' || typeof right !== 'string') {
			throw formatError(`merge ${index} must be two tokens, found ${describeJson(merge)}`, place);
		}
		const absent = [left, right, left + right].find((token) => !Object.hasOwn(vocab, token));
		if (absent !== undefined) {
			throw formatError(`merge ${index} needs ${quoteName(absent)}, which is not in the vocabulary`, place);
		}
	});
}

/** Added tokens as tokenizer.json lists them, and as `added_tokens_decoder` in tokenizer_config.json does without `id`. */
export function parseAddedToken(token: unknown, id: unknown, here: string): AddedToken {
	if (!isJsonObject(token)) throw formatError(`an object is expected, found ${describeJson(token)}`, here);
	refuseUnknownKeys(token, addedTokenKeys, (key, message) => unsupportedError(message, `${here}: ${key}`));
	const content = ownValue(token, 'content');
	checkId(id, here);
	if (typeof content !== 'string' || content === '') {
		throw formatError(`content must be a string that is not empty, found ${describeJson(content)}`, here);
	}
	const flag = (name: string, otherwise: boolean) => {
		const value = ownValue(token, name) ?? otherwise;
		if (typeof value !== 'boolean') throw formatError(`${name} must be true or false`, here);
		return value;
	};
	const special = flag('special', false);
	return {
		id,
		content,
		special,
		normalized: flag('normalized', !special),
		lstrip: flag('lstrip', false),
		rstrip: flag('rstrip', false),
		singleWord: flag('single_word', false),
	};
}

function parseAddedTokens(list: unknown, vocab: object, root: string): readonly AddedToken[] {
	const place = `${root}: added_tokens`;
	if (!Array.isArray(list)) throw formatError(`a list is expected, found ${describeJson(list)}`, place);
	const vocabularySize = Object.keys(vocab).length;
	let largestId = -1;
	return list.map((json: unknown, index) => {
		const here = `${place}: ${index}`;
		const token = parseAddedToken(json, isJsonObject(json) ? ownValue(json, 'id') : undefined, here);
		const { id, content } = token;
		const idInVocabulary = ownValue(vocab, content) ?? id;
		if (idInVocabulary !== id) {
			throw formatError(
				`${quoteName(content)} has id ${id} here and ${idInVocabulary} in the vocabulary`,
				here,
			);
		}
		// The reference implementation numbers tokens that the vocabulary lacks itself, whatever the file says.
		const nextId = largestId >= vocabularySize ? largestId + 1 : vocabularySize;
		if (!token.special && !Object.hasOwn(vocab, content) && id !== nextId) {
			throw formatError(`${quoteName(content)} has id ${id} here, where ${nextId} is next`, here);
		}
		largestId = Math.max(largestId, id);
		return token;
	});
}
