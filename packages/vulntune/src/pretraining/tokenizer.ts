import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inputError, loadTokenizer, type Tokenizer, trainTokenizer } from '@vulntune/engine';
import { buildTokenizer } from '@vulntune/engine/formats/tokenizer/build-tokenizer.ts';
import { tokenizerFiles } from '@vulntune/engine/formats/tokenizer-training/write-tokenizer.ts';

/** A tokenizer, and the files that make it part of a model folder. */
export interface PretrainTokenizer {
	readonly tokenizer: Tokenizer;
	/** Closes every document. */
	readonly separator: number;
	readonly files: ReadonlyMap<string, Uint8Array>;
}

const fileNames = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/** Takes the tokenizer of a folder, or trains one on the documents: the same documents give the same tokenizer. */
export function prepareTokenizer(
	from: string | null,
	documents: readonly string[],
	vocabularySize: number,
): PretrainTokenizer {
	return from === null ? trained(documents, vocabularySize) : taken(from, vocabularySize);
}

function trained(documents: readonly string[], vocabularySize: number): PretrainTokenizer {
	const files = tokenizerFiles(trainTokenizer(documents, { vocabularySize }));
	const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)!)) as object;
	const tokenizer = buildTokenizer({
		bytes: files.get('tokenizer.json')!,
		json: json('tokenizer.json'),
		place: 'tokenizer.json',
		config: { json: json('tokenizer_config.json'), place: 'tokenizer_config.json' },
	});
	return { tokenizer, separator: separatorOf(tokenizer), files };
}

function taken(folder: string, vocabularySize: number): PretrainTokenizer {
	const tokenizer = loadTokenizer(folder);
	if (tokenizer.vocabularySize > vocabularySize) {
		const found = `the tokenizer has ${tokenizer.vocabularySize} tokens, model.vocabularySize is ${vocabularySize}`;
		throw inputError('TOKENIZER_MODEL', found, {
			place: 'model.vocabularySize',
			remedy: `Set model.vocabularySize to at least ${tokenizer.vocabularySize}.`,
		});
	}
	const present = fileNames.filter((name) => existsSync(path.join(folder, name)));
	const files = new Map(present.map((name) => [name, readFileSync(path.join(folder, name))]));
	return { tokenizer, separator: separatorOf(tokenizer), files };
}

function separatorOf(tokenizer: Tokenizer): number {
	if (tokenizer.separatorId !== undefined) return tokenizer.separatorId;
	throw inputError('TOKENIZER_SEPARATOR', 'the tokenizer has no end token to close a document with', {
		place: tokenizer.place,
		remedy: 'Name an eos_token in tokenizer_config.json.',
	});
}
