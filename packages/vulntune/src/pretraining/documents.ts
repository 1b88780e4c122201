import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileError, hashStream, inputError, permutation, readSmallFile } from '@vulntune/engine';
import { createFaultList } from '../data/faults.ts';
import { readJsonLines } from '../data/jsonl.ts';
import { readCode } from '../data/row.ts';
import { collapseWhitespace } from '../data/whitespace.ts';
import { generateCorpus } from '../demo/corpus.ts';
import type { PretrainConfig } from './config-schema.ts';

/** The texts that a model learns from, and those that only measure how well it does. No text is in both. */
export interface Documents {
	readonly train: readonly string[];
	readonly valid: readonly string[];
	/** SHA-256 of all texts in their order, hexadecimal. */
	readonly hash: string;
}

type SourceOptions = PretrainConfig['source'];

/** A larger file is no source that somebody wrote. */
const maxSourceBytes = 2 ** 20;
const maxJsonlBytes = 2 ** 30;

/**
 * Reads a source. Texts that occur twice are taken once, so that nothing of the validation share is learned, and
 * empty ones not at all.
 *
 * @param warn told which files were passed over
 * @throws VulntuneError PRETRAIN_SOURCE where there are fewer than two documents, DATASET_INVALID for faulty lines
 */
export function readDocuments(
	source: SourceOptions,
	seed: number,
	warn: (line: string) => void = () => {},
): Documents {
	const texts = new Set<string>();
	for (const text of rawTexts(source, warn)) {
		const document = source.collapseWhitespace ? collapseWhitespace(text) : text;
		if (document.trim() !== '') texts.add(document);
	}
	if (texts.size < 2) {
		throw inputError(
			'PRETRAIN_SOURCE',
			`at least two different documents are expected, found ${texts.size}`,
			{
				place: source.path ?? 'source',
				remedy: 'Check source.path and source.extensions.',
			},
		);
	}
	return divide([...texts], source.validationShare, seed);
}

function divide(documents: readonly string[], share: number, seed: number): Documents {
	const hash = createHash('sha256');
	for (const document of documents) hash.update(`${document.length}\n`).update(document);
	const order = permutation(seed, hashStream('pretraining/validation'), documents.length);
	const heldOut = new Set(order.subarray(0, Math.max(1, Math.round(documents.length * share))));
	return {
		train: documents.filter((_, index) => !heldOut.has(index)),
		valid: documents.filter((_, index) => heldOut.has(index)),
		hash: hash.digest('hex'),
	};
}

function rawTexts(source: SourceOptions, warn: (line: string) => void): Iterable<string> {
	const { type, functions, seed } = source;
	if (type === 'generated') return generateCorpus({ functions, seed });
	// the config's check sees to it that there is a path
	const place = source.path!;
	return type === 'jsonl' ? jsonlTexts(place) : fileTexts(place, source.extensions, warn);
}

function jsonlTexts(file: string): string[] {
	const faults = createFaultList('Mend or remove these lines; a line is {"code": "..."}.');
	const texts: string[] = [];
	const bytes = readSmallFile(file, maxJsonlBytes);
	readJsonLines(bytes, { name: path.basename(file) }, faults, (value, _line, place) => {
		const found: string[] = [];
		const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
		if (isObject) texts.push(readCode(value as Record<string, unknown>, found));
		else found.push('expected an object with code');
		for (const fault of found) faults.add(place, fault);
	});
	const error = faults.toError();
	if (error !== undefined) throw error;
	return texts;
}

function* fileTexts(
	folder: string,
	extensions: readonly string[],
	warn: (line: string) => void,
): Generator<string> {
	const decoder = new TextDecoder('utf-8', { fatal: true });
	for (const file of sourceFiles(folder, extensions)) {
		try {
			yield decoder.decode(readSmallFile(file, maxSourceBytes));
		} catch (error) {
			const isForeign = error instanceof TypeError;
			const isLarge = error instanceof Error && 'code' in error && error.code === 'FILE_TOO_LARGE';
			if (!isForeign && !isLarge) throw error;
			warn(`${file} is passed over: ${isForeign ? 'it is not UTF-8' : 'it is too large for a source file'}`);
		}
	}
}

/** Regular files below a folder with one of the endings, sorted; hidden folders and installed packages are left out. */
function sourceFiles(folder: string, extensions: readonly string[]): string[] {
	const files: string[] = [];
	const visit = (directory: string) => {
		for (const entry of listFolder(directory)) {
			const name = path.join(directory, entry.name);
			const isSkipped = entry.name.startsWith('.') || entry.name === 'node_modules';
			if (entry.isDirectory() && !isSkipped) visit(name);
			else if (entry.isFile() && extensions.some((end) => entry.name.endsWith(end))) files.push(name);
		}
	};
	visit(folder);
	return files.sort((a, b) => (a < b ? -1 : 1));
}

function listFolder(folder: string) {
	try {
		return readdirSync(folder, { withFileTypes: true });
	} catch (error) {
		throw fileError(error, folder, 'read');
	}
}
