import path from 'node:path';
import { createBackend } from '@vulntune/engine';
import { afterAll, expect, it } from 'vitest';
import {
	temporaryFolder,
	testBackend,
	tinyConfig,
	tinyShapes,
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
const layers = { num_hidden_layers: 3 };
const model = writeTinyModel(path.join(root, 'model'), { ...tinyShapes.llama, ...layers });
const encoder = writeTinyModel(path.join(root, 'encoder'), tinyShapes.roberta);
const data = writeTinyDataset(path.join(root, 'data'), { train: 12, valid: 2, test: 6 });
const backend = createBackend({ type: testBackend as 'cpu', isa: 'auto', threads: 2 }, () => {});
afterAll(() => backend.close());

type Overrides = Readonly<Record<string, string>>;

/**
 * What a detector makes of the training rows: their scores, and the gradients of a step over each pack.
 *
 * @param isWarm fails where the blocks that are frozen are run
 */
async function resultsOf(overrides: Overrides, cache?: string, isWarm = false) {
	const common = { 'training.precision': 'bf16' };
	const config = tinyConfig({ model, data, output: root }, { ...common, ...overrides });
	const base = openBase(config);
	const { splits, scoring } = await prepareData(config, base, () => {});
	const loaded = createDetectorOf(config, backend, base.folder);
	const warm: Detector['model'] = {
		...loaded.model,
		hidden(context, pack, options) {
			if (options?.start === undefined) throw new Error('the base was run');
			return loaded.model.hidden(context, pack, options);
		},
	};
	const run = { ...loaded, model: isWarm ? warm : loaded.model };
	const detector = cache === undefined ? run : withKeptStates(run, config, base, scoring.tokens, cache);
	try {
		const { packs } = packFunctions(splits.train.lengths, scoring.packing, { tokens: splits.train.tokens });
		const losses = packs.map((pieces) => {
			const { pack, targets } = assemblePack(splits.train, pieces, scoring.packing.packing, scoring.tokens);
			return [...trainOnPack(detector, pack, targets, 1, 1, scoring.pass)];
		});
		const gradients = [...backend.download(detector.parameters.gradients)];
		const scores = [...(await scoreSplit(detector, splits.train, scoring))!.probabilities];
		expect(gradients.some((value) => value !== 0)).toBe(true);
		return { losses, gradients, scores };
	} finally {
		detector.free();
		base.close();
	}
}

/** What a detector gives with states that were kept a moment before, and with those on the disk, is what it gives without any. */
async function expectSame(cache: string, overrides: Overrides): Promise<void> {
	const plain = await resultsOf(overrides);
	expect(await resultsOf(overrides, cache)).toEqual(plain);
	expect(await resultsOf(overrides, cache, true)).toEqual(plain);
}

const windows = { 'sequence.length': '32', 'sequence.largeFunctions': 'window' };
const fp32 = { 'training.precision': 'fp32' };
const lora = { 'method.type': 'lora', 'method.layersToTransform': '[1, 2]' };

it.each(['last', 'mean', 'max', 'meanMax'])(
	'of a head are the same to the byte, and the base is run once: pool %s',
	async (pool) => {
		const cache = path.join(root, `states-${pool}`);
		const head = { 'method.type': 'head', 'head.pool': pool };
		await expectSame(cache, head);
		// another pooling, precision or arithmetic has states of its own
		const mean = { ...head, 'head.pool': 'mean' };
		await expect(resultsOf(mean, path.join(root, 'states-last'), true)).rejects.toThrow('the base was run');
		await expect(resultsOf({ ...head, ...fp32 }, cache, true)).rejects.toThrow('the base was run');
	},
);

const answers = { 'nextToken.positive': 'YES', 'nextToken.negative': 'NO', 'nextToken.prompt': ' Bad? ' };

it.each<[string, Overrides]>([
	['in packs, the last token', {}],
	['one function a sequence, the mean', { 'sequence.packing': 'none', 'head.pool': 'mean' }],
	[
		'with shared prefixes and checkpointing',
		{ 'sequence.sharePrefixes': 'true', 'training.checkpointing': 'true' },
	],
	['in windows', windows],
	['NF4 in 8 bits', { 'method.type': 'qlora', 'method.base': 'nf4', 'training.precision': 'int8' }],
	['with answers of several tokens', { objective: 'nextToken', ...answers, 'sequence.length': '128' }],
	['that see both ways', { 'method.bidirectionalLayers': '3', 'head.pool': 'mean' }],
	['of an encoder', { model: encoder, 'method.layersToTransform': '[1]', 'head.pool': 'first' }],
])('below the lowest adapter are the same to the byte, and are run once: %s', async (name, overrides) => {
	await expectSame(path.join(root, name.replaceAll(/\W+/g, '-')), { ...lora, ...overrides });
});

it('are those of a token whatever lies beside it, and of the block that they enter', async () => {
	const cache = path.join(root, 'states-of-blocks');
	await resultsOf({ ...lora, 'sequence.packing': 'none' }, cache);
	const shared = { ...lora, 'sequence.sharePrefixes': 'true', 'sequence.length': '100' };
	expect(await resultsOf(shared, cache, true)).toEqual(await resultsOf(shared));
	const higher = { ...lora, 'method.layersToTransform': '[2]' };
	await expect(resultsOf(higher, cache, true)).rejects.toThrow('the base was run');
});

it('are used for windows of a head', async () => {
	await expectSame(path.join(root, 'states-windows'), {
		...{ 'method.type': 'head', 'head.pool': 'mean' },
		...windows,
	});
});

it.each<[string, Overrides]>([
	['a function sees its neighbours', { ...lora, 'sequence.packing': 'leaky' }],
	['the first block has an adapter', { 'method.type': 'lora' }],
	['a prefix stands before every block', { 'method.type': 'prefix' }],
])('are not kept where %s', async (_, overrides) => {
	const cache = path.join(root, 'states-of-none');
	await resultsOf(overrides, cache);
	await expect(resultsOf(overrides, cache, true)).rejects.toThrow('the base was run');
});

it('are known by all that their bytes depend on', () => {
	const folder = path.join(root, 'states-of-parts');
	const tokens = Int32Array.of(1, 2, 3);
	const standard = {
		...{ weights: 'w', config: 'c', type: 'lora', held: 'fp32', twice: false, precision: 'bf16' },
		...{ backend: 'cpu', isa: 'avx2' as string | undefined, description: 'd', activations: 'f32' },
		...{ block: 2, bidirectional: 0, pool: 'last' },
		...{ leading: [] as number[], separator: 0, suffix: [] as number[], branches: [[1], [2]] },
	};
	const open = (change: Partial<typeof standard>) => {
		const all = { ...standard, ...change };
		const { weights, config, description, pool, leading, separator, suffix, branches } = all;
		const detector = {
			model: { frozenBlocks: all.block },
			head: { pool },
			backend: {
				...{ name: all.backend, hardware: { isa: all.isa }, description },
				activationType: () => all.activations,
			},
			free() {},
		};
		const settings = {
			method: {
				...{ type: all.type, base: all.held, doubleQuantization: all.twice },
				bidirectionalLayers: all.bidirectional,
			},
			sequence: { packing: 'isolated' },
			training: { precision: all.precision },
		};
		const bytes = new TextEncoder().encode(weights);
		const base = {
			// of the weights it samples, which is not enough
			fingerprint: { weights: 'sampled', config, tokenizer: 't' },
			folder: {
				weights: {
					names: ['w'],
					info: () => ({ dtype: 'U8', shape: [bytes.length], byteLength: bytes.length }),
					readPart: () => bytes,
				},
			} as never,
		};
		const around = { leading, separator, suffix, branches };
		const { keptStates, lowerStates, free } = withKeptStates(
			detector as never,
			settings as never,
			base,
			around,
			folder,
		);
		return { states: keptStates ?? lowerStates!.states, free };
	};
	const first = open({});
	first.states.put(tokens, Uint8Array.of(1, 2));
	first.free();
	expect(open({}).states.get(tokens)).toEqual(Buffer.of(1, 2));
	// where an instruction set says what computes, nothing else does
	expect(open({ description: 'more threads' }).states.get(tokens)).toBeDefined();
	// a head that is on top of adapters reads what they change
	expect(open({ pool: 'mean' }).states.get(tokens)).toBeDefined();
	for (const change of [
		...[{ weights: 'x' }, { config: 'x' }, { held: 'bf16' }, { twice: true }, { precision: 'fp32' }],
		...[{ backend: 'wasm' }, { isa: 'avx512' }, { isa: undefined }, { activations: 'bf16' }],
		...[{ block: 1 }, { bidirectional: 1 }, { type: 'head' }],
		...[{ leading: [5] }, { separator: 1 }, { suffix: [5] }, { branches: [[1]] }],
	]) {
		expect(open(change).states.get(tokens), JSON.stringify(change)).toBeUndefined();
	}
	const head = open({ type: 'head' });
	head.states.put(tokens, Uint8Array.of(3));
	head.free();
	expect(open({ type: 'head' }).states.get(tokens)).toBeDefined();
	expect(open({ type: 'head', pool: 'mean' }).states.get(tokens)).toBeUndefined();
});
