import { inputError } from '../../errors.ts';
import type { TransformerConfig } from '../huggingface/common-config.ts';
import { parseJsonObject, quoteName } from '../json.ts';
import { modelFiles } from '../model-files.ts';
import { buildTokenizer } from './build-tokenizer.ts';
import { rememberTokenizer } from './remember-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

export const tokenizerFileName = 'tokenizer.json';
const tokenizerConfigFileName = 'tokenizer_config.json';
const specialTokensFileName = 'special_tokens_map.json';
const addedTokensFileName = 'added_tokens.json';

const maxTokenizerBytes = 256_000_000;
const maxConfigBytes = 16_000_000;

export interface LoadTokenizerOptions {
	/** Where what is known of a tokenizer is kept between runs, so that it is built only when it meets a new text. */
	readonly cacheFolder?: string;
}

/**
 * Loads the tokenizer of a model: of a folder, tokenizer.json, and the special tokens from tokenizer_config.json,
 * special_tokens_map.json or added_tokens.json where there are any; of a GGUF file, the one inside it. Throws `TOKENIZER_MISSING`, `TOKENIZER_FILE` or
 * `TOKENIZER_UNSUPPORTED`.
 *
 *     const tokenizer = loadTokenizer('models/smollm2-135m');
 *     const ids = tokenizer.encode('int x = 1;');
 */
export function loadTokenizer(folder: string, { cacheFolder }: LoadTokenizerOptions = {}): Tokenizer {
	const files = modelFiles(folder);
	const place = files.placeOf(tokenizerFileName);
	const bytes = files.read(tokenizerFileName, maxTokenizerBytes);
	if (bytes === undefined) {
		throw inputError('TOKENIZER_MISSING', `there is no ${tokenizerFileName}`, {
			place: folder,
			remedy: 'Copy or download the tokenizer of the model; only the tokenizer.json format is read.',
		});
	}
	const beside = [tokenizerConfigFileName, specialTokensFileName, addedTokensFileName].map((name) => {
		return { place: files.placeOf(name), bytes: files.read(name, maxConfigBytes) ?? new Uint8Array() };
	});
	const build = () => {
		const [config, specialTokensMap, addedTokens] = beside.map((file) =>
			file.bytes.length === 0 ? undefined : { place: file.place, json: parse(file.bytes, file.place) },
		);
		return buildTokenizer({ bytes, json: parse(bytes, place), place, config, specialTokensMap, addedTokens });
	};
	if (cacheFolder === undefined) return build();
	return rememberTokenizer(cacheFolder, [bytes, ...beside.map((file) => file.bytes)], place, build);
}

/**
 * Throws `TOKENIZER_MODEL` where a text can become ids for which the model has no embedding: the tokenizer most likely
 * belongs to another model. Special tokens beyond are common (CodeLlama-34B's), as are more embeddings than ids.
 */
export function checkTokenizer(
	tokenizer: Pick<Tokenizer, 'place' | 'textVocabularySize'>,
	config: Pick<TransformerConfig, 'vocabularySize'>,
): void {
	const { textVocabularySize, place } = tokenizer;
	if (textVocabularySize <= config.vocabularySize) return;
	throw embeddingError(`a text can become ids up to ${textVocabularySize - 1}`, config, place);
}

/** Throws `TOKENIZER_MODEL` for the first of the ids of a text for which the model has no embedding. */
export function checkTokenIds(
	ids: Int32Array | readonly number[],
	tokenizer: Pick<Tokenizer, 'decode'>,
	config: Pick<TransformerConfig, 'vocabularySize'>,
	place: string,
): void {
	const outside = ids.find((id) => id >= config.vocabularySize);
	if (outside === undefined) return;
	throw embeddingError(`${quoteName(tokenizer.decode([outside]))} is token ${outside}`, config, place);
}

function embeddingError(
	found: string,
	{ vocabularySize }: Pick<TransformerConfig, 'vocabularySize'>,
	place: string,
) {
	const message = `${found}, but the model has embeddings for 0 to ${vocabularySize - 1}`;
	return inputError('TOKENIZER_MODEL', message, {
		place,
		remedy: 'Put the tokenizer of the same model into the folder, or leave such texts out.',
	});
}

function parse(bytes: Uint8Array, place: string): object {
	return parseJsonObject(bytes, {
		code: 'TOKENIZER_FILE',
		place,
		remedy: 'The file is damaged: download or export the tokenizer again.',
	});
}
