import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { inputError } from '@vulntune/engine/errors.ts';
import { fileError } from '@vulntune/engine/formats/file-errors.ts';
import { readArchive } from './archive.ts';
import { createFaultList, type LeftOut } from './faults.ts';
import { readJsonlRows } from './jsonl.ts';
import { otherFormat } from './other-formats.ts';
import type { FunctionRow } from './row.ts';

export const splitNames = ['train', 'valid', 'test'] as const;
export type SplitName = (typeof splitNames)[number];

/** The rows of a dataset. A split that was neither required nor there is an empty list. */
export interface Dataset {
	/** The folder or archive. */
	readonly location: string;
	readonly splits: Readonly<Record<SplitName, readonly FunctionRow[]>>;
	/** SHA-256 over the names and bytes of the files read, in hex: the same for a folder and its archive. */
	readonly hash: string;
	/** What `onBadRow: skip` left out. */
	readonly leftOut: LeftOut;
	/** The line of each row as it was read; empty unless `keepLines` asks for them. */
	readonly lines: Readonly<Record<SplitName, readonly string[]>>;
}

export interface DatasetOptions {
	/** Splits that must be there and hold at least one row; default all three. */
	readonly required?: readonly SplitName[];
	/** Splits that are read where they are there; default none. */
	readonly optional?: readonly SplitName[];
	/** What becomes of a row that is not as it should be: an error (the default), or it is left out and counted. */
	readonly onBadRow?: 'error' | 'skip';
	/** A larger split file is refused. */
	readonly maxFileBytes?: number;
	/** Also keeps the text of each row's line; default false. */
	readonly keepLines?: boolean;
}

/**
 * X1-style rows from a folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, or a `.tar.gz` that holds them.
 *
 * @throws VulntuneError DATASET_NOT_FOUND, DATASET_EMPTY, DATASET_FORMAT (a JSON array, CSV, …), DATASET_INVALID (up to 20 faults, each as `train.jsonl:7: …`),
 * ARCHIVE_*
 *
 * @example const { splits, hash } = await loadDataset('data/x1-without-p3', { required: ['test'] });
 */
export async function loadDataset(location: string, options: DatasetOptions = {}): Promise<Dataset> {
	const required = options.required ?? splitNames;
	const chosen = splitNames.filter((split) => required.includes(split) || options.optional?.includes(split));
	const files = await readSplitFiles(location, chosen, options.maxFileBytes ?? 2 ** 30);
	const absent = required.find((split) => !files.has(split)) ?? (files.size === 0 ? chosen[0] : undefined);
	if (absent !== undefined) await failMissing(location, absent);

	const faults = createFaultList();
	const hash = createHash('sha256');
	const splits: Record<SplitName, readonly FunctionRow[]> = { train: [], valid: [], test: [] };
	const lines: Record<SplitName, string[]> = { train: [], valid: [], test: [] };
	const kept = (split: SplitName) => (options.keepLines === true ? lines[split] : undefined);
	for (const [split, bytes] of files) {
		hash.update(`${split} ${bytes.length}\n`).update(bytes);
		const other = otherFormat(bytes, `${split}.jsonl`);
		if (other !== undefined) throw other;
		splits[split] = readJsonlRows(bytes, { name: `${split}.jsonl` }, faults, kept(split));
	}
	const error = options.onBadRow === 'skip' ? undefined : faults.toError();
	if (error !== undefined) throw error;
	const empty = required.find((split) => splits[split].length === 0);
	if (empty !== undefined) {
		throw inputError(
			'DATASET_EMPTY',
			`${empty}.jsonl holds no ${faults.count > 0 ? 'row that is as it should be' : 'rows'}`,
			{
				place: location,
				remedy: `Put rows of ${empty} there, one JSON object a line; vulntune dataset split deals those of one file to three.`,
			},
		);
	}
	return { location, splits, hash: hash.digest('hex'), leftOut: faults.leftOut(), lines };
}

/** Bytes of the split files that exist, in the order of `splits`. */
async function readSplitFiles(
	location: string,
	splits: readonly SplitName[],
	maxFileBytes: number,
): Promise<Map<SplitName, Buffer>> {
	const found = await stat(location).catch(() => undefined);
	if (found === undefined) {
		throw inputError('DATASET_NOT_FOUND', 'there is no such folder or archive', {
			place: location,
			remedy:
				'Set data.path to a folder with train.jsonl, valid.jsonl and test.jsonl, or to a .tar.gz of one.',
		});
	}
	const files = new Map<SplitName, Buffer>();
	if (!found.isDirectory()) {
		if (!found.isFile() || !/\.(tar\.gz|tgz)$/i.test(location)) {
			throw inputError('DATASET_NOT_FOUND', 'expected a folder or a .tar.gz', {
				place: location,
				remedy: 'Give the folder in which train.jsonl, valid.jsonl and test.jsonl lie.',
			});
		}
		const archived = await readArchive(
			location,
			splits.map((split) => `${split}.jsonl`),
			{ maxBytes: maxFileBytes },
		);
		for (const split of splits) {
			const bytes = archived.get(`${split}.jsonl`);
			if (bytes !== undefined) files.set(split, bytes);
		}
		return files;
	}
	for (const split of splits) {
		const file = path.join(location, `${split}.jsonl`);
		const entry = await stat(file).catch(() => undefined);
		if (entry === undefined) continue;
		if (!entry.isFile()) {
			throw inputError('DATASET_NOT_FOUND', 'a file is expected, found something else', {
				place: file,
				remedy: 'Put the rows of the split there, one JSON object a line.',
			});
		}
		if (entry.size > maxFileBytes) {
			throw inputError(
				'DATASET_TOO_LARGE',
				`the file has ${entry.size} bytes, at most ${maxFileBytes} are read`,
				{
					place: file,
					remedy: 'Split the dataset, or leave out rows.',
				},
			);
		}
		files.set(
			split,
			await readFile(file).catch((error: unknown) => {
				throw fileError(error, file, 'read');
			}),
		);
	}
	return files;
}

async function failMissing(location: string, split: SplitName): Promise<never> {
	const names = await readdir(location).catch(() => []);
	const jsonl = names.filter((name) => name.endsWith('.jsonl'));
	const others = names.filter((name) => /\.(json|csv|tsv|parquet)(\.gz)?$/i.test(name));
	throw inputError('DATASET_NOT_FOUND', `${split}.jsonl is missing`, {
		place: location,
		remedy:
			jsonl.length > 0
				? `Found ${jsonl.slice(0, 10).join(', ')}.`
				: others.length > 0
					? `Rows are read from JSONL, one JSON object a line; found ${others.slice(0, 10).join(', ')}.`
					: 'No .jsonl file was found there.',
	});
}
