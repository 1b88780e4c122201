import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { readSmallFile, writeFileAtomically } from './files.ts';
import { configOf } from './gguf/model-config.ts';
import { type TokenizerJson, tokenizerOf } from './gguf/model-tokenizer.ts';
import { ggufWeights } from './gguf/model-weights.ts';
import { type GgufFile, openGguf } from './gguf/reader.ts';
import { openWeights } from './huggingface/weights.ts';
import type { WeightSource } from './weight-source.ts';

/**
 * The files of a model by their names in a Hugging Face folder, whether it lies in one or in a GGUF file, which says the same in
 * another form.
 */
export interface ModelFiles {
	/** Where a file of this name lies, for messages. */
	placeOf(name: string): string;
	/** The bytes of a file; undefined where there is none. Throws FILE_TOO_LARGE above `maxBytes`. */
	read(name: string, maxBytes: number): Uint8Array | undefined;
	openWeights(): WeightSource;
}

/** Whether a model is the file at `location`, rather than a folder there. */
export function isGgufFile(location: string): boolean {
	return /\.gguf$/i.test(location) && statSync(location, { throwIfNoEntry: false })?.isDirectory() === false;
}

/** The files of the model in a folder or a GGUF file; nothing is opened before it is asked for. */
export function modelFiles(location: string): ModelFiles {
	return isGgufFile(location) ? ggufModelFiles(location) : folderFiles(location);
}

/** Of files that go with a model a tokenizer is the largest. */
const maxCopiedBytes = 256_000_000;

/** Writes a file of a model into a folder; nothing where the model has none of this name. */
export function copyModelFile(model: string, name: string, folder: string): void {
	const bytes = modelFiles(model).read(name, maxCopiedBytes);
	if (bytes !== undefined) writeFileAtomically(path.join(folder, name), (append) => append(bytes));
}

function folderFiles(folder: string): ModelFiles {
	const placeOf = (name: string) => path.join(folder, name);
	return {
		placeOf,
		read(name, maxBytes) {
			const file = placeOf(name);
			return existsSync(file) ? readSmallFile(file, maxBytes) : undefined;
		},
		openWeights: () => openWeights(folder),
	};
}

function ggufModelFiles(location: string): ModelFiles {
	const withFile = <Result>(use: (file: GgufFile) => Result): Result => {
		const file = openGguf(location);
		try {
			return use(file);
		} finally {
			file.close();
		}
	};
	// a vocabulary is large: what is asked for two of its files makes both once
	let made: { readonly tokenizer: TokenizerJson | undefined } | undefined;
	const tokenizer = () => (made ??= { tokenizer: withFile(tokenizerOf) }).tokenizer;
	const jsonOf = (name: string): object | undefined => {
		if (name === 'config.json') return withFile(configOf);
		if (name === 'tokenizer.json' || name === 'tokenizer_config.json') return tokenizer()?.[name];
		return undefined;
	};
	return {
		placeOf: (name) => `${location}: ${name}`,
		read(name) {
			const json = jsonOf(name);
			return json === undefined ? undefined : new TextEncoder().encode(JSON.stringify(json));
		},
		openWeights() {
			const file = openGguf(location);
			try {
				return ggufWeights(file);
			} catch (error) {
				file.close();
				throw error;
			}
		},
	};
}
