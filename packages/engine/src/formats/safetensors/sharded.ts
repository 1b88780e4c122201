import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '../../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { entryBytes, type SafetensorsEntry, type TensorDescription, writeSafetensors } from './writer.ts';

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
	const shards = planShards(folder, [...entries], maxShardBytes);
	for (const { file, tensors } of shards) writeSafetensors(path.join(folder, file), tensors, metadata);
	return [...shards.map(({ file }) => file), ...writeIndex(folder, shards)];
}

/** A file of a model's weights and what lies in it. */
export interface Shard<Tensor extends TensorDescription> {
	readonly file: string;
	readonly tensors: readonly Tensor[];
}

/** How the tensors of a model are spread over files of a folder, in the order given; refuses a folder that holds weights. */
export function planShards<Tensor extends TensorDescription>(
	folder: string,
	tensors: readonly Tensor[],
	maxShardBytes: number,
): readonly Shard<Tensor>[] {
	refuseExistingWeights(folder);
	const shards = splitIntoShards(tensors, maxShardBytes, folder);
	if (shards.length <= 1) return [{ file: singleFileName, tensors: shards[0] ?? [] }];
	return shards.map((tensors, index) => ({ file: shardName(index + 1, shards.length), tensors }));
}

/** The file that makes several shards a model, written last; of a single one there is none. Returns its name. */
export function writeIndex(folder: string, shards: readonly Shard<TensorDescription>[]): readonly string[] {
	if (shards.length <= 1) return [];
	const index = encodeIndex(shards, folder);
	writeFileAtomically(path.join(folder, indexFileName), (append) => append(index));
	return [indexFileName];
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

function splitIntoShards<Tensor extends TensorDescription>(
	entries: readonly Tensor[],
	maxShardBytes: number,
	place: string,
): readonly (readonly Tensor[])[] {
	const shards: Tensor[][] = [];
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

function encodeIndex(shards: readonly Shard<TensorDescription>[], place: string): Uint8Array {
	const fileOfTensor = new Map<string, string>();
	let totalBytes = 0;
	for (const { file, tensors } of shards) {
		for (const tensor of tensors) {
			fileOfTensor.set(tensor.name, file);
			totalBytes += entryBytes(tensor, place);
		}
	}
	const lines = [...fileOfTensor]
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`);
	const text = `{\n  "metadata": {"total_size": ${totalBytes}},\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`;
	return Buffer.from(text);
}
