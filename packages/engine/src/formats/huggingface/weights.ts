import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { inputError, type VulntuneError } from '../../errors.ts';
import { fileError } from '../file-errors.ts';
import { readSmallFile } from '../files.ts';
import { describeJson, isJsonObject, ownValue, parseJsonObject, quoteName } from '../json.ts';
import { openSafetensors, type SafetensorsFile } from '../safetensors/reader.ts';
import { indexFileName, singleFileName } from '../safetensors/sharded.ts';
import type { WeightSource } from '../weight-source.ts';

const maxIndexBytes = 64_000_000;
const maxNamesInMessage = 5;

/**
 * Opens the weights of a Hugging Face folder: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` names. Reads headers only. Throws where the folder has no weights that can
 * be read safely, a shard or one of its tensors is missing, or a file is damaged.
 */
export function openWeights(folder: string): WeightSource {
	const names = listFolder(folder);
	if (names.includes(singleFileName)) return openSingle(path.join(folder, singleFileName), folder);
	if (names.includes(indexFileName)) return openSharded(folder, names);
	throw noWeightsError(folder, names);
}

function openSingle(file: string, folder: string): WeightSource {
	const open = openSafetensors(file);
	return {
		place: folder,
		names: [...open.tensors.keys()],
		info: (name) => open.tensors.get(name),
		read: open.read,
		readPart: open.readPart,
		readInto: open.readInto,
		close: open.close,
	};
}

function openSharded(folder: string, filesInFolder: readonly string[]): WeightSource {
	const shardOfTensor = readIndex(path.join(folder, indexFileName));
	const shardNames = [...new Set(shardOfTensor.values())];
	const missing = shardNames.filter((name) => !filesInFolder.includes(name));
	if (missing.length > 0) {
		throw inputError(
			'MODEL_SHARD_MISSING',
			`files that ${indexFileName} names are missing: ${list(missing)}`,
			{
				place: folder,
				remedy: 'Copy or download the missing files.',
			},
		);
	}
	const shards = new Map<string, SafetensorsFile>();
	const close = () => {
		for (const shard of shards.values()) shard.close();
	};
	try {
		for (const name of shardNames) shards.set(name, openSafetensors(path.join(folder, name)));
		refuseAbsentTensors(shardOfTensor, shards, folder);
	} catch (error) {
		close();
		throw error;
	}
	const shardOf = (name: string) => shards.get(shardOfTensor.get(name) ?? '');
	const holding = (name: string): SafetensorsFile => {
		const shard = shardOf(name);
		if (shard !== undefined) return shard;
		throw inputError('SAFETENSORS_NAME', `there is no tensor ${quoteName(name)}`, { place: folder });
	};
	return {
		place: folder,
		names: [...shardOfTensor.keys()],
		info: (name) => shardOf(name)?.tensors.get(name),
		read: (name) => holding(name).read(name),
		readPart: (name, byteOffset, byteLength) => holding(name).readPart(name, byteOffset, byteLength),
		readInto: async (name, target) => holding(name).readInto(name, target),
		close,
	};
}

/** The file of each tensor. */
function readIndex(file: string): ReadonlyMap<string, string> {
	const remedy = 'Download or export the model again.';
	const where = { code: 'MODEL_INDEX', place: file, remedy };
	const weightMap = ownValue(parseJsonObject(readSmallFile(file, maxIndexBytes), where), 'weight_map');
	if (!isJsonObject(weightMap)) {
		throw inputError('MODEL_INDEX', `weight_map must be an object, found ${describeJson(weightMap)}`, {
			place: file,
			remedy,
		});
	}
	const fileOfTensor = new Map<string, string>();
	for (const [tensor, shard] of Object.entries(weightMap)) {
		// A plain name: an index must not lead out of its folder.
		if (typeof shard !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(shard)) {
			throw inputError(
				'MODEL_INDEX',
				`the name of a .safetensors file in the same folder is expected, found ${describeJson(shard)}`,
				{ place: `${file}: ${quoteName(tensor)}`, remedy },
			);
		}
		fileOfTensor.set(tensor, shard);
	}
	if (fileOfTensor.size === 0) {
		throw inputError('MODEL_INDEX', 'weight_map names no tensor', { place: file, remedy });
	}
	return fileOfTensor;
}

function refuseAbsentTensors(
	shardOfTensor: ReadonlyMap<string, string>,
	shards: ReadonlyMap<string, SafetensorsFile>,
	folder: string,
): void {
	const absent = [...shardOfTensor].filter(([tensor, shard]) => !shards.get(shard)!.tensors.has(tensor));
	if (absent.length === 0) return;
	const places = absent.map(([tensor, shard]) => `${quoteName(tensor)} in ${shard}`);
	throw inputError('MODEL_INDEX', `tensors that ${indexFileName} names are missing: ${list(places)}`, {
		place: folder,
		remedy: 'The index and the shards do not belong together: download or export the model again.',
	});
}

function listFolder(folder: string): readonly string[] {
	try {
		if (!statSync(folder).isDirectory()) throw notAFolderError(folder);
		return readdirSync(folder);
	} catch (error) {
		const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
		if (!isMissing) throw fileError(error, folder, 'read');
		throw inputError('MODEL_NOT_FOUND', 'there is no such folder', {
			place: folder,
			remedy:
				'Give the path of a folder with config.json, tokenizer.json and model.safetensors, or of a GGUF file (--model). docs/getting-a-model.md says where to get one.',
			cause: error,
		});
	}
}

function notAFolderError(file: string): VulntuneError {
	return inputError('MODEL_NOT_A_FOLDER', 'the folder of a model is expected, found a file', {
		place: file,
		remedy: 'Give the folder that holds config.json and the weights, or a .gguf file.',
	});
}

function noWeightsError(folder: string, names: readonly string[]): VulntuneError {
	const pickles = names.filter((name) => /\.(bin|pt|pth|pkl|ckpt)$/.test(name));
	if (pickles.length > 0) {
		return inputError('MODEL_PICKLE', `the weights are there as pickle files only: ${list(pickles)}`, {
			place: folder,
			remedy:
				'Pickle files can run any code when opened and are never read. Take the safetensors version of the ' +
				'model, or convert it where you trust it: ' +
				'AutoModelForCausalLM.from_pretrained(folder).save_pretrained(other) in Python.',
		});
	}
	const shards = names.filter((name) => /^model-\d+-of-\d+\.safetensors$/.test(name));
	if (shards.length > 0) {
		return inputError('MODEL_WEIGHTS', `there are shards (${list(shards)}), but no ${indexFileName}`, {
			place: folder,
			remedy: `Copy or download ${indexFileName} too.`,
		});
	}
	const isAdapter = names.includes('adapter_config.json');
	return inputError('MODEL_WEIGHTS', `neither ${singleFileName} nor ${indexFileName} is there`, {
		place: folder,
		remedy: isAdapter
			? 'This is the folder of an adapter: give the folder of its base model.'
			: 'Give a folder in Hugging Face layout, with its weights as safetensors.',
	});
}

function list(names: readonly string[]): string {
	const shown = names.slice(0, maxNamesInMessage).join(', ');
	return names.length > maxNamesInMessage ? `${shown} and ${names.length - maxNamesInMessage} more` : shown;
}
