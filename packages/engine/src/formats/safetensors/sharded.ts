import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { entryBytes, type SafetensorsEntry, writeSafetensors } from './writer.ts';

/** The names that a Hugging Face folder gives to its weights. */
export const singleFileName = 'model.safetensors';
export const indexFileName = 'model.safetensors.index.json';

export interface ShardOptions {
	readonly metadata?: Readonly<Record<string, string>>;
	/** Above this size the tensors are spread over several files; one tensor is never split. */
	readonly maxShardBytes?: number;
}

/**
 * Writes the weights of a model into an existing folder: `model.safetensors`, or, where they are larger than
 * `maxShardBytes` (default 5 GB), `model-00001-of-0000N.safetensors` in the order given, and at last
 * `model.safetensors.index.json`, without which no reader takes the folder for a model. Refuses a folder
 * that holds weights already, since readers could mix the two. Returns the names of the files written.
 */
export function writeShardedSafetensors(
	folder: string,
	entries: Iterable<SafetensorsEntry>,
	options: ShardOptions = {},
): readonly string[] {
	const { metadata = {}, maxShardBytes = 5e9 } = options;
	refuseExistingWeights(folder);
	const shards = splitIntoShards([...entries], maxShardBytes, folder);
	if (shards.length <= 1) {
		writeSafetensors(path.join(folder, singleFileName), shards[0] ?? [], metadata);
		return [singleFileName];
	}
	const files = shards.map((_, index) => shardName(index + 1, shards.length));
	shards.forEach((shard, index) => {
		writeSafetensors(path.join(folder, files[index]!), shard, metadata);
	});
	const index = encodeIndex(shards, files, folder);
	writeFileAtomically(path.join(folder, indexFileName), (append) => append(index));
	return [...files, indexFileName];
}

function refuseExistingWeights(folder: string): void {
	const existing = existsSync(folder)
		? readdirSync(folder).find((name) => name === indexFileName || /^model.*\.safetensors$/.test(name))
		: undefined;
	if (existing === undefined) return;
	throw inputError('MODEL_FOLDER_OCCUPIED', `the folder already holds weights (${existing})`, {
		place: folder,
		remedy: 'Choose another folder, or remove the weights that are there.',
	});
}

function splitIntoShards(
	entries: readonly SafetensorsEntry[],
	maxShardBytes: number,
	place: string,
): readonly (readonly SafetensorsEntry[])[] {
	const shards: SafetensorsEntry[][] = [];
	let bytesInShard = 0;
	for (const entry of entries) {
		const bytes = entryBytes(entry, place);
		const current = shards.at(-1);
		if (current === undefined || bytesInShard + bytes > maxShardBytes) {
			shards.push([entry]);
			bytesInShard = bytes;
		} else {
			current.push(entry);
			bytesInShard += bytes;
		}
	}
	return shards;
}

function shardName(number: number, count: number): string {
	const digits = (value: number) => String(value).padStart(5, '0');
	return `model-${digits(number)}-of-${digits(count)}.safetensors`;
}

function encodeIndex(
	shards: readonly (readonly SafetensorsEntry[])[],
	files: readonly string[],
	place: string,
): Uint8Array {
	const fileOfTensor = new Map<string, string>();
	let totalBytes = 0;
	shards.forEach((shard, index) => {
		for (const entry of shard) {
			fileOfTensor.set(entry.name, files[index]!);
			totalBytes += entryBytes(entry, place);
		}
	});
	const lines = [...fileOfTensor]
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`);
	const text = `{\n  "metadata": {"total_size": ${totalBytes}},\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`;
	return Buffer.from(text);
}
