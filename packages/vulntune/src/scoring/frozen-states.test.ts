import path from 'node:path';
import { createBackend } from '@vulntune/engine';
import { afterAll, expect, it } from 'vitest';
import {
	temporaryFolder,
	testBackend,
	tinyConfig,
	writeTinyDataset,
	writeTinyModel,
} from '../../../../tests/tiny.ts';
import type { Detector } from '../methods/detector.ts';
import { openBase } from '../model/open-base.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { createDetectorOf } from './configured-detector.ts';
import { withKeptStates } from './frozen-states.ts';
import { trainOnPack } from './micro-batch.ts';
import { prepareData } from './prepare-data.ts';
import { scoreSplit } from './score-split.ts';
import { assemblePack } from './split-data.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const data = writeTinyDataset(path.join(root, 'data'), { train: 12, valid: 2, test: 6 });
const backend = createBackend({ type: testBackend as 'cpu', isa: 'auto', threads: 2 }, () => {});
afterAll(() => backend.close());

/** What a detector makes of the training rows: their scores, and the gradients of a step over each pack. */
async function resultsOf(
	pool: string,
	cache: string | undefined,
	overrides: Record<string, string> = {},
	isWarm = false,
) {
	const config = tinyConfig(
		{ model, data, output: root },
		{ 'method.type': 'head', 'head.pool': pool, 'training.precision': 'bf16', ...overrides },
	);
	const base = openBase(config);
	const { splits, scoring } = await prepareData(config, base, () => {});
	const loaded = createDetectorOf(config, backend, base.folder);
	const never: Detector['model'] = {
		...loaded.model,
		hidden() {
			throw new Error('the base was run');
		},
	};
	const run = { ...loaded, model: isWarm ? never : loaded.model };
	const detector = cache === undefined ? run : withKeptStates(run, config, base, scoring.tokens, cache);
	try {
		const { packs } = packFunctions(splits.train.lengths, scoring.packing, { tokens: splits.train.tokens });
		const losses = packs.map((pieces) => {
			const { pack, targets } = assemblePack(splits.train, pieces, scoring.packing.packing, scoring.tokens);
			return [...trainOnPack(detector, pack, targets, 1, 1, scoring.pass)];
		});
		const gradients = [...backend.download(detector.parameters.gradients)];
		const scores = [...(await scoreSplit(detector, splits.train, scoring))!.probabilities];
		return { losses, gradients, scores };
	} finally {
		detector.free();
		base.close();
	}
}

it.each(['last', 'mean', 'max', 'meanMax'])(
	'are the same to the byte, and the base is run once: pool %s',
	async (pool) => {
		const cache = path.join(root, `states-${pool}`);
		const plain = await resultsOf(pool, undefined);
		expect(await resultsOf(pool, cache)).toEqual(plain);
		expect(await resultsOf(pool, cache, {}, true)).toEqual(plain);
		// another pooling, precision or arithmetic has states of its own
		await expect(resultsOf('mean', path.join(root, 'states-last'), {}, true)).rejects.toThrow(
			'the base was run',
		);
		const fp32 = { 'training.precision': 'fp32' };
		await expect(resultsOf(pool, cache, fp32, true)).rejects.toThrow('the base was run');
	},
);

it('are used for windows, and not where a function sees its neighbours or the base is trained', async () => {
	const windows = { 'sequence.length': '32', 'sequence.largeFunctions': 'window' };
	const cache = path.join(root, 'states-windows');
	const plain = await resultsOf('mean', undefined, windows);
	expect(await resultsOf('mean', cache, windows)).toEqual(plain);
	expect(await resultsOf('mean', cache, windows, true)).toEqual(plain);
	for (const overrides of [{ 'sequence.packing': 'leaky' }, { 'method.type': 'lora' }]) {
		await resultsOf('mean', cache, overrides);
		await expect(resultsOf('mean', cache, overrides, true)).rejects.toThrow('the base was run');
	}
});

it('are known by all that their bytes depend on', () => {
	const folder = path.join(root, 'states-of-parts');
	const tokens = Int32Array.of(1, 2, 3);
	const standard = {
		...{ weights: 'w', config: 'c', method: 'fp32', precision: 'bf16' },
		...{ backend: 'cpu', isa: 'avx2' as string | undefined, description: 'd', pool: 'last' },
		...{ leading: [] as number[], separator: 0, suffix: [] as number[] },
	};
	const open = (change: Partial<typeof standard>) => {
		const {
			weights,
			config,
			method,
			precision,
			backend: name,
			isa,
			description,
			pool,
			...around
		} = {
			...standard,
			...change,
		};
		const detector = { head: { pool }, backend: { name, hardware: { isa }, description }, free() {} };
		const settings = tinyConfig(
			{ model, data, output: root },
			{ 'method.type': 'head', 'method.base': method, 'training.precision': precision },
		);
		const base = { fingerprint: { weights, config, tokenizer: 't' }, folder: { config: { hiddenSize: 2 } } };
		return withKeptStates(detector as never, settings, base as never, around as never, folder);
	};
	const first = open({});
	first.keptStates!.put(tokens, Float32Array.of(1, 2));
	first.free();
	expect(open({}).keptStates!.get(tokens)).toEqual(Float32Array.of(1, 2));
	// where an instruction set says what computes, nothing else does
	expect(open({ description: 'more threads' }).keptStates!.get(tokens)).toBeDefined();
	for (const change of [
		...[{ weights: 'x' }, { config: 'x' }, { method: 'bf16' }, { precision: 'fp32' }, { backend: 'wasm' }],
		...[{ isa: 'avx512' }, { isa: undefined }, { pool: 'mean' }],
		...[{ leading: [5] }, { separator: 1 }, { suffix: [5] }],
	]) {
		expect(open(change).keptStates!.get(tokens), JSON.stringify(change)).toBeUndefined();
	}
});
