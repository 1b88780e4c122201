import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../../errors.ts';
import { readSmallFile } from '../files.ts';
import type { ModelConfig } from '../huggingface/model-config.ts';
import { parseJsonObject } from '../json.ts';
import { buildTokenizer } from './build-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

export const tokenizerFileName = 'tokenizer.json';
export const tokenizerConfigFileName = 'tokenizer_config.json';
const specialTokensFileName = 'special_tokens_map.json';

const maxTokenizerBytes = 256_000_000;
const maxConfigBytes = 16_000_000;

/**
 * Loads the tokenizer of a model folder: tokenizer.json, and the special tokens from tokenizer_config.json or
 * special_tokens_map.json where there are any. Throws `TOKENIZER_MISSING`, `TOKENIZER_FILE` or
 * `TOKENIZER_UNSUPPORTED`.
 *
 *     const tokenizer = loadTokenizer('models/smollm2-135m');
 *     const ids = tokenizer.encode('int x = 1;');
 */
export function loadTokenizer(folder: string): Tokenizer {
	const place = path.join(folder, tokenizerFileName);
	if (!existsSync(place)) {
		throw inputError('TOKENIZER_MISSING', `there is no ${tokenizerFileName}`, {
			place: folder,
			remedy: 'Copy or download the tokenizer of the model; only the tokenizer.json format is read.',
		});
	}
	const bytes = readSmallFile(place, maxTokenizerBytes);
	const configPlace = path.join(folder, tokenizerConfigFileName);
	return buildTokenizer({
		bytes,
		json: parse(bytes, place),
		place,
		config: { ...readOptional(path.join(folder, specialTokensFileName)), ...readOptional(configPlace) },
		configPlace,
	});
}

/**
 * Throws `TOKENIZER_MODEL` where the tokenizer has ids for which the model has no embedding: it belongs to
 * another model. A model with more rows than the tokenizer has ids is common and fine.
 */
export function checkTokenizer(tokenizer: Tokenizer, config: ModelConfig): void {
	if (tokenizer.vocabularySize <= config.vocabularySize) return;
	throw inputError(
		'TOKENIZER_MODEL',
		`the tokenizer does not fit the model: its ids go up to ${tokenizer.vocabularySize - 1}, the model has ` +
			`embeddings for 0 to ${config.vocabularySize - 1}`,
		{ place: tokenizer.place, remedy: 'Put the tokenizer of the same model into the folder.' },
	);
}

function readOptional(file: string): object {
	return existsSync(file) ? parse(readSmallFile(file, maxConfigBytes), file) : {};
}

function parse(bytes: Uint8Array, place: string): object {
	return parseJsonObject(bytes, {
		code: 'TOKENIZER_FILE',
		place,
		remedy: 'The file is damaged: download or export the tokenizer again.',
	});
}
