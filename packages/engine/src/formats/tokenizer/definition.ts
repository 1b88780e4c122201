import { inputError, type VulntuneError } from '../../errors.ts';
import { describeJson, isJsonObject, ownValue, quoteName } from '../json.ts';
import { expressionDanger } from './check-expression.ts';
import type { AddedToken, Component, TokenizerDefinition } from './library.ts';

/** Far above any vocabulary; an id beyond it is damage, and would make a huge table. */
const maxTokenId = 2 ** 24;
const maxDepth = 16;

/**
 * Checks the contents of a tokenizer.json. Throws `TOKENIZER_FILE` where it contradicts itself or is not of
 * the format, `TOKENIZER_UNSUPPORTED` where it calls for something that would be done differently here than
 * in the reference implementation.
 */
export function parseDefinition(json: object, place: string): TokenizerDefinition {
	const model = parseModel(ownValue(json, 'model'), place);
	const component = (name: Role) =>
		parseComponent(ownValue(json, name) ?? null, name, `${place}: ${name}`, 0);
	return {
		model,
		added_tokens: parseAddedTokens(ownValue(json, 'added_tokens') ?? [], model.vocab, place),
		normalizer: component('normalizer'),
		pre_tokenizer: component('pre_tokenizer'),
		post_processor: component('post_processor'),
		decoder: component('decoder'),
	};
}

export function fileError(message: string, place: string): VulntuneError {
	return inputError('TOKENIZER_FILE', message, {
		place,
		remedy: 'The file is damaged: download or export the tokenizer again.',
	});
}

export function unsupportedError(message: string, place: string, cause?: unknown): VulntuneError {
	return inputError('TOKENIZER_UNSUPPORTED', message, {
		place,
		remedy: 'Choose a base model with a byte-level or Llama-like BPE tokenizer.',
		...(cause === undefined ? {} : { cause }),
	});
}

function parseModel(model: unknown, root: string): TokenizerDefinition['model'] {
	const place = `${root}: model`;
	if (!isJsonObject(model)) throw fileError(`an object is expected, found ${describeJson(model)}`, place);
	// Files of early versions leave the type out.
	const type = ownValue(model, 'type') ?? 'BPE';
	if (type !== 'BPE')
		throw unsupportedError(`a model of type BPE is expected, found ${describeJson(type)}`, place);
	for (const name of ['byte_fallback', 'fuse_unk', 'ignore_merges']) {
		const flag = ownValue(model, name) ?? false;
		if (typeof flag !== 'boolean') throw fileError(`${name} must be true or false`, place);
	}
	for (const name of ['unk_token', 'continuing_subword_prefix', 'end_of_word_suffix']) {
		const text = ownValue(model, name) ?? '';
		if (typeof text !== 'string') throw fileError(`${name} must be a string`, place);
	}
	if (ownValue(model, 'continuing_subword_prefix')) {
		throw unsupportedError('continuing_subword_prefix is not supported', place);
	}
	const vocab = parseVocabulary(ownValue(model, 'vocab'), place);
	checkMerges(ownValue(model, 'merges'), vocab, place);
	const unknown = ownValue(model, 'unk_token');
	if (typeof unknown === 'string' && !Object.hasOwn(vocab, unknown)) {
		throw fileError(`unk_token ${quoteName(unknown)} is not in the vocabulary`, place);
	}
	return { ...model, type, vocab };
}

function parseVocabulary(vocab: unknown, place: string): object {
	if (!isJsonObject(vocab)) throw fileError(`vocab must be an object, found ${describeJson(vocab)}`, place);
	for (const [token, id] of Object.entries(vocab)) checkId(id, `${place}: vocab: ${quoteName(token)}`);
	return vocab;
}

function checkId(id: unknown, place: string): asserts id is number {
	if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > maxTokenId) {
		throw fileError(`an id from 0 to ${maxTokenId} is expected, found ${describeJson(id)}`, place);
	}
}

/** Both halves of a merge and what they make must be tokens, else merging would end elsewhere. */
function checkMerges(merges: unknown, vocab: object, place: string): void {
	if (!Array.isArray(merges)) throw fileError(`merges must be a list, found ${describeJson(merges)}`, place);
	const isPairs = Array.isArray(merges[0]);
	merges.forEach((merge: unknown, index) => {
		const parts = isPairs || typeof merge !== 'string' ? merge : merge.split(' ');
		const [left, right] = Array.isArray(parts) ? parts : [];
		const isPair = Array.isArray(parts) && parts.length === 2 && Array.isArray(merge) === isPairs;
		if (!isPair || typeof left !== 'string' || typeof right !== 'string') {
			throw fileError(`merge ${index} must be two tokens, found ${describeJson(merge)}`, place);
		}
		const absent = [left, right, left + right].find((token) => !Object.hasOwn(vocab, token));
		if (absent !== undefined) {
			throw fileError(`merge ${index} needs ${quoteName(absent)}, which is not in the vocabulary`, place);
		}
	});
}

function parseAddedTokens(list: unknown, vocab: object, root: string): readonly AddedToken[] {
	const place = `${root}: added_tokens`;
	if (!Array.isArray(list)) throw fileError(`a list is expected, found ${describeJson(list)}`, place);
	return list.map((token: unknown, index) => {
		const here = `${place}: ${index}`;
		if (!isJsonObject(token)) throw fileError(`an object is expected, found ${describeJson(token)}`, here);
		const id = ownValue(token, 'id');
		const content = ownValue(token, 'content');
		const special = ownValue(token, 'special') ?? false;
		checkId(id, here);
		if (typeof content !== 'string' || content === '') {
			throw fileError(`content must be a string that is not empty, found ${describeJson(content)}`, here);
		}
		for (const name of ['special', 'normalized', 'lstrip', 'rstrip', 'single_word']) {
			const flag = ownValue(token, name) ?? false;
			if (typeof flag !== 'boolean') throw fileError(`${name} must be true or false`, here);
		}
		const idInVocabulary = ownValue(vocab, content) ?? id;
		if (idInVocabulary !== id) {
			throw fileError(
				`${quoteName(content)} has id ${id} here and ${idInVocabulary} in the vocabulary`,
				here,
			);
		}
		return { ...token, id, content, special: special === true };
	});
}

type Role = 'normalizer' | 'pre_tokenizer' | 'post_processor' | 'decoder';

const sequenceFields = ['normalizers', 'pretokenizers', 'decoders', 'processors'] as const;

function parseComponent(json: unknown, role: Role, place: string, depth: number): Component | null {
	if (json === null) return null;
	if (!isJsonObject(json)) throw fileError(`an object is expected, found ${describeJson(json)}`, place);
	if (depth > maxDepth) throw fileError(`steps are nested more than ${maxDepth} deep`, place);
	const type = ownValue(json, 'type');
	if (typeof type !== 'string') throw fileError(`type must be a string, found ${describeJson(type)}`, place);
	if (ownValue(json, 'pattern') !== undefined) checkPattern(ownValue(json, 'pattern'), place);
	if (role === 'pre_tokenizer') refuseUnfaithful(json, type, place);
	const sequences = sequenceFields.flatMap((name) => {
		const parts = ownValue(json, name);
		if (parts === undefined) return [];
		if (!Array.isArray(parts)) throw fileError(`${name} must be a list, found ${describeJson(parts)}`, place);
		return [[name, parts.map((part, index) => parseComponent(part, role, `${place}: ${index}`, depth + 1))]];
	});
	return { ...json, type, ...Object.fromEntries(sequences) };
}

function checkPattern(pattern: unknown, place: string): void {
	const expression = isJsonObject(pattern) ? ownValue(pattern, 'Regex') : undefined;
	const text = expression ?? (isJsonObject(pattern) ? ownValue(pattern, 'String') : undefined);
	if (typeof text !== 'string') throw fileError('pattern must hold a Regex or a String', place);
	const danger = typeof expression === 'string' ? expressionDanger(expression) : undefined;
	if (danger === undefined) return;
	throw unsupportedError(`the pattern ${quoteName(text)} could run without end: ${danger}`, place);
}

/** Ways of splitting that the library takes differently from the reference implementation, or never ends. */
function refuseUnfaithful(json: object, type: string, place: string): void {
	if (type === 'Split') {
		const behavior = ownValue(json, 'behavior');
		const isInverted = ownValue(json, 'invert') ?? false;
		const isFaithful = isInverted === true ? behavior === 'Removed' : behavior === 'Isolated';
		if (!isFaithful || typeof isInverted !== 'boolean') {
			throw unsupportedError(`splitting with behavior ${describeJson(behavior)} is not supported`, place);
		}
	}
	if (
		type === 'Metaspace' &&
		(ownValue(json, 'split') ?? true) !== false &&
		place.includes('pre_tokenizer')
	) {
		throw unsupportedError('Metaspace that splits at every space is not supported', place);
	}
	if (type === 'FixedLength') throw unsupportedError('splitting into fixed lengths is not supported', place);
}
