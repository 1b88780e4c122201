import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { smallConfig, smallTensors, writeSmallModel } from '../formats/testing/small-model.ts';
import { loadTokenizer } from '../formats/tokenizer/load-tokenizer.ts';
import type { Tokenizer } from '../formats/tokenizer/tokenizer.ts';
import { trainTokenizer } from '../formats/tokenizer-training/train-tokenizer.ts';
import { writeTokenizer } from '../formats/tokenizer-training/write-tokenizer.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { fingerprintDifferences, fingerprintModel, hashAllWeights } from './fingerprint.ts';
import { openModelFolder } from './model-folder.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-fingerprint-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const trained = trainTokenizer(['int x = 1;'], { vocabularySize: 260 });
let folders = 0;

function writeModel(maxShardBytes?: number): string {
	const folder = path.join(scratch, String(folders++));
	writeSmallModel(folder, smallConfig, smallTensors(), maxShardBytes);
	writeTokenizer(folder, trained);
	return folder;
}

function fingerprintOf(folder: string) {
	const model = openModelFolder(folder);
	try {
		return fingerprintModel(model, loadTokenizer(folder));
	} finally {
		model.close();
	}
}

const first = writeModel();
const own = fingerprintOf(first);

/** What a change of one file of the model changes. */
function differencesAfter(file: string, change: (bytes: Buffer) => Buffer | string) {
	const folder = path.join(scratch, String(folders++));
	cpSync(first, folder, { recursive: true });
	writeFileSync(path.join(folder, file), change(readFileSync(path.join(folder, file))));
	return fingerprintDifferences(own, fingerprintOf(folder));
}

const withConfig = (changes: object) =>
	differencesAfter('config.json', (bytes) => JSON.stringify({ ...JSON.parse(String(bytes)), ...changes }));

describe('the fingerprint of a model', () => {
	it('stays where its folder moves, its weights are spread otherwise and keys change places', () => {
		expect(fingerprintOf(writeModel(2000))).toEqual(own);
		const moved = path.join(scratch, 'moved');
		cpSync(first, `${moved}-before`, { recursive: true });
		renameSync(`${moved}-before`, moved);
		expect(fingerprintOf(moved)).toEqual(own);
		const reversed = (bytes: Buffer) =>
			JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(String(bytes))).toReversed()), null, 3);
		expect(differencesAfter('config.json', reversed)).toEqual([]);
		expect(withConfig({ transformers_version: '5.0', _name_or_path: 'elsewhere' })).toEqual([]);
	});

	it.each([
		['one bit of a weight', 'model.safetensors', -1],
		['one bit of an early weight', 'model.safetensors', -2000],
	])('tells %s', (_, file, index) => {
		const flipped = (bytes: Buffer) => {
			bytes[bytes.length + index]! ^= 1;
			return bytes;
		};
		expect(differencesAfter(file, flipped)).toEqual(['weights']);
	});

	it('tells another config and another tokenizer', () => {
		expect(withConfig({ rms_norm_eps: 1e-6 })).toEqual(['config']);
		const spaced = (bytes: Buffer) => `${bytes}\n`;
		expect(differencesAfter('tokenizer.json', spaced)).toEqual(['tokenizer']);
		const otherEnd = (bytes: Buffer) => String(bytes).replace(/"eos_token": *"[^"]*"/, '"eos_token": "x"');
		expect(differencesAfter('tokenizer_config.json', otherEnd)).toEqual(['tokenizer']);
	});
});

describe('a tensor of a large model', () => {
	const shape = [2 ** 20, 9]; // 18 MiB of BF16: above what is read whole
	const byteLength = 2 * shape[0]! * shape[1]!;
	const config = path.join(first, 'config.json');
	const tokenizer: Tokenizer = loadTokenizer(first);

	/** The fingerprint's sum of weights that are all zero but for one byte, and how much was read for it. */
	function sumWithByteAt(index: number | undefined) {
		let bytesRead = 0;
		const weights: WeightSource = {
			place: scratch,
			names: ['w'],
			info: () => ({ dtype: 'BF16', shape, byteLength }),
			read: () => {
				throw new Error('a large tensor is not read whole');
			},
			readPart(_, offset, length) {
				bytesRead += length;
				const bytes = new Uint8Array(length);
				if (index !== undefined && index >= offset && index < offset + length) bytes[index - offset] = 1;
				return bytes;
			},
			close() {},
		};
		const folder = { path: path.dirname(config), config: openModelFolder(first).config, weights, close() {} };
		const sum = fingerprintModel(folder, tokenizer).weights;
		return { sum, bytesRead, ofAll: hashAllWeights(folder) };
	}

	it('is read in 16 blocks of 4 KiB from its first byte to its last', () => {
		const zero = sumWithByteAt(undefined);
		expect(zero.bytesRead).toBe(16 * 4096);
		const middle = Math.floor((7 * (byteLength - 4096)) / 15);
		for (const index of [0, byteLength - 1, middle, middle + 4095]) {
			expect(sumWithByteAt(index).sum, `byte ${index}`).not.toBe(zero.sum);
		}
		expect(sumWithByteAt(middle + 4096).sum).toBe(zero.sum);
	});

	it('has every byte in the hash of all', () => {
		const { ofAll } = sumWithByteAt(undefined);
		expect(sumWithByteAt(undefined).ofAll).toBe(ofAll);
		for (const index of [0, 2 ** 23 + 1, 2 ** 24, byteLength - 1]) {
			expect(sumWithByteAt(index).ofAll, `byte ${index}`).not.toBe(ofAll);
		}
	});
});

it('reads parts of tensors from one file and from shards, and never beyond them', () => {
	for (const folder of [writeModel(), writeModel(2000)]) {
		const { weights, close } = openModelFolder(folder);
		for (const name of weights.names) {
			expect(weights.readPart(name, 8, 12)).toEqual(weights.read(name).slice(8, 20));
			const { byteLength } = weights.info(name)!;
			expect(() => weights.readPart(name, byteLength - 4, 8)).toThrow(RangeError);
		}
		expect(() => weights.readPart('absent', 0, 1)).toThrow(/no tensor/);
		close();
	}
});
