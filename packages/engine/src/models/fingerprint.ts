import { createHash, type Hash } from 'node:crypto';
import { canonicalJson, parseJsonObject } from '../formats/json.ts';
import { modelFiles } from '../formats/model-files.ts';
import { tokenizerFileName } from '../formats/tokenizer/load-tokenizer.ts';
import type { Tokenizer } from '../formats/tokenizer/tokenizer.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { configFileName, type ModelFolder } from './model-folder.ts';

/** What tells one base model from another, part by part: SHA-256 sums in hex. */
export interface ModelFingerprint {
	readonly weights: string;
	readonly config: string;
	readonly tokenizer: string;
}

/** The parts of a fingerprint, in the order in which messages name them. */
export const fingerprintParts = ['weights', 'config', 'tokenizer'] as const;
export type FingerprintPart = (typeof fingerprintParts)[number];

/** Weights of at most this size are read whole. */
const wholeBytes = 2 ** 24;
const blockBytes = 4096;
const blocksPerTensor = 16;

/** Keys of config.json that say who wrote it and where, not what the model computes. */
const neutralConfigKeys = ['_name_or_path', 'name_or_path', 'transformers_version'];

/**
 * The fingerprint of a model. It depends on contents alone: not on the folder's place, the files' times, the order
 * of keys or how tensors are spread over shards.
 *
 * Weights: name, type and shape of every tensor, and of its bytes 16 blocks of 4 KiB, evenly spread from its first byte to
 * its last; all bytes of tensors up to 64 KiB, and of models whose tensors have 16 MiB or less together. So a model of
 * 135 million parameters takes some 15 MB of reading and one of 13 billion some 20 MB; what is changed between
 * two blocks of a large tensor alone is not seen.
 *
 * Config: config.json without the keys that name its writer. Tokenizer: tokenizer.json, and the ids that begin and close a text.
 */
export function fingerprintModel(folder: ModelFolder, tokenizer: Tokenizer): ModelFingerprint {
	const files = modelFiles(folder.path);
	return {
		weights: hashWeights(folder.stored ?? folder.weights),
		config: hashConfig(files.read(configFileName, 16_000_000)!, files.placeOf(configFileName)),
		tokenizer: hashTokenizer(files.read(tokenizerFileName, 256_000_000)!, tokenizer),
	};
}

const hashedFolders = new WeakMap<ModelFolder, string>();
/** Bytes that are read and hashed at once. */
const hashedAtOnce = 2 ** 24;

/**
 * SHA-256 in hex of every byte of a model's weights, with the name, type and shape of each tensor: for what may be kept only while
 * every weight stays the same. It reads the whole model, once for an open folder; a fingerprint is enough to tell models apart.
 */
export function hashAllWeights(folder: ModelFolder): string {
	const known = hashedFolders.get(folder);
	if (known !== undefined) return known;
	const weights = folder.stored ?? folder.weights;
	const hash = createHash('sha256');
	for (const name of weights.names.toSorted()) {
		const { dtype, shape, byteLength } = weights.info(name)!;
		hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
		for (let offset = 0; offset < byteLength; offset += hashedAtOnce) {
			hash.update(weights.readPart(name, offset, Math.min(hashedAtOnce, byteLength - offset)));
		}
	}
	const sum = hash.digest('hex');
	hashedFolders.set(folder, sum);
	return sum;
}

/** The parts in which two fingerprints differ; empty where they are of one model. */
export function fingerprintDifferences(a: ModelFingerprint, b: ModelFingerprint): FingerprintPart[] {
	return fingerprintParts.filter((part) => a[part] !== b[part]);
}

function hashWeights(weights: WeightSource): string {
	const tensors = weights.names.toSorted().map((name) => ({ name, ...weights.info(name)! }));
	const isSmall = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0) <= wholeBytes;
	const hash = createHash('sha256');
	for (const { name, dtype, shape, byteLength } of tensors) {
		hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
		if (isSmall || byteLength <= blockBytes * blocksPerTensor) hash.update(weights.read(name));
		else hashBlocks(hash, weights, name, byteLength);
	}
	return hash.digest('hex');
}

function hashBlocks(hash: Hash, weights: WeightSource, name: string, byteLength: number): void {
	for (let block = 0; block < blocksPerTensor; block++) {
		const offset = Math.floor((block * (byteLength - blockBytes)) / (blocksPerTensor - 1));
		hash.update(weights.readPart(name, offset, blockBytes));
	}
}

function hashConfig(bytes: Uint8Array, place: string): string {
	const json = parseJsonObject(bytes, { code: 'MODEL_CONFIG', place });
	const entries = Object.entries(json).filter(([key]) => !neutralConfigKeys.includes(key));
	return createHash('sha256')
		.update(canonicalJson(Object.fromEntries(entries)))
		.digest('hex');
}

function hashTokenizer(bytes: Uint8Array, { bosTokenId, separatorId }: Tokenizer): string {
	const hash = createHash('sha256').update(canonicalJson({ bosTokenId, separatorId }));
	return hash.update(bytes).digest('hex');
}
