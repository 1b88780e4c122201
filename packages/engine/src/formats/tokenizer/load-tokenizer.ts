import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../../errors.ts';
import { readSmallFile } from '../files.ts';
import type { TransformerConfig } from '../huggingface/common-config.ts';
import { parseJsonObject } from '../json.ts';
import { buildTokenizer } from './build-tokenizer.ts';
import { rememberTokenizer } from './remember-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

export const tokenizerFileName = 'tokenizer.json';
export const tokenizerConfigFileName = 'tokenizer_config.json';
const specialTokensFileName = 'special_tokens_map.json';

const maxTokenizerBytes = 256_000_000;
const maxConfigBytes = 16_000_000;

export interface LoadTokenizerOptions {
	/** Where what is known of a tokenizer is kept between runs, so that it is built only when it meets a new text. */
	readonly cacheFolder?: string;
}

/**
 * Loads the tokenizer of a model folder: tokenizer.json, and the special tokens from tokenizer_config.json or
 * special_tokens_map.json where there are any. Throws `TOKENIZER_MISSING`, `TOKENIZER_FILE` or
 * `TOKENIZER_UNSUPPORTED`.
 *
 *     const tokenizer = loadTokenizer('models/smollm2-135m');
 *     const ids = tokenizer.encode('int x = 1;');
 */
export function loadTokenizer(folder: string, { cacheFolder }: LoadTokenizerOptions = {}): Tokenizer {
	const place = path.join(folder, tokenizerFileName);
	if (!existsSync(place)) {
		throw inputError('TOKENIZER_MISSING', `there is no ${tokenizerFileName}`, {
			place: folder,
			remedy: 'Copy or download the tokenizer of the model; only the tokenizer.json format is read.',
		});
	}
	const bytes = readSmallFile(place, maxTokenizerBytes);
	const configPlace = path.join(folder, tokenizerConfigFileName);
	const specialsPlace = path.join(folder, specialTokensFileName);
	const [config, specials] = [readOptional(configPlace), readOptional(specialsPlace)];
	const build = () =>
		buildTokenizer({
			bytes,
			json: parse(bytes, place),
			place,
			config: { ...parseOptional(specials, specialsPlace), ...parseOptional(config, configPlace) },
			configPlace,
		});
	if (cacheFolder === undefined) return build();
	return rememberTokenizer(cacheFolder, [bytes, config, specials], place, build);
}

/**
 * Throws `TOKENIZER_MODEL` where the tokenizer has ids for which the model has no embedding: it belongs to
 * another model. A model with more rows than the tokenizer has ids is common and fine.
 */
export function checkTokenizer(
	tokenizer: Tokenizer,
	config: Pick<TransformerConfig, 'vocabularySize'>,
): void {
	if (tokenizer.vocabularySize <= config.vocabularySize) return;
	throw inputError(
		'TOKENIZER_MODEL',
		`the tokenizer does not fit the model: its ids go up to ${tokenizer.vocabularySize - 1}, the model has ` +
			`embeddings for 0 to ${config.vocabularySize - 1}`,
		{ place: tokenizer.place, remedy: 'Put the tokenizer of the same model into the folder.' },
	);
}

/** No bytes where there is no such file. */
function readOptional(file: string): Uint8Array {
	return existsSync(file) ? readSmallFile(file, maxConfigBytes) : new Uint8Array();
}

function parseOptional(bytes: Uint8Array, place: string): object {
	return bytes.length === 0 ? {} : parse(bytes, place);
}

function parse(bytes: Uint8Array, place: string): object {
	return parseJsonObject(bytes, {
		code: 'TOKENIZER_FILE',
		place,
		remedy: 'The file is damaged: download or export the tokenizer again.',
	});
}
