import path from 'node:path';
import { createBackend, hashStream, normalArray, permutation } from '@vulntune/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runsOf } from '../../../../tests/nightly/nightly.ts';
import {
	temporaryFolder,
	testBackend,
	tinyConfig,
	tinyShapes,
	writeTinyModel,
} from '../../../../tests/tiny.ts';
import type { Detector } from '../methods/detector.ts';
import { openBase } from '../model/open-base.ts';
import { combineWindows } from '../packing/combine-windows.ts';
import type { PackingOptions } from '../packing/options.ts';
import { buildPack } from '../packing/pack.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { createDetectorOf } from './configured-detector.ts';
import { scorePack } from './micro-batch.ts';
import { type ScoringOptions, scoreFunctions, scoringPacking } from './score-split.ts';
import { scoringOf } from './scoring-options.ts';
import { functionsBeginningAlike } from './testing/functions-beginning-alike.ts';

const root = temporaryFolder();

/** Functions that begin alike, one without a token, some longer than a sequence. */
const tokens = functionsBeginningAlike([
	...([
		[40, 20],
		[40, 1],
		[40, 0],
		[17, 60],
		[17, 5],
		[0, 30],
		[0, 0],
		[0, 1],
	] as const),
	...([
		[0, 150],
		[40, 140],
		[0, 96],
		[17, 5],
		[0, 63],
		[0, 64],
	] as const),
]);

/** How an evaluation might pack the same functions. */
const anyPacking = fc.record({
	packLength: fc.integer({ min: 96, max: 700 }),
	packing: fc.constantFrom('isolated', 'isolated', 'none'),
	order: fc.constantFrom('bestFit', 'arrival'),
	maxFunctions: fc.integer({ min: 2, max: 20 }),
	sharePrefixes: fc.boolean(),
	shuffle: fc.nat(),
});

const windows = { 'sequence.largeFunctions': 'window' };
const nf4 = { 'method.type': 'qlora', 'method.base': 'nf4' };
const cases: readonly (readonly [string, keyof typeof tinyShapes, Readonly<Record<string, string>>])[] = [
	['a decoder, mean and maximum', 'llama', { 'head.pool': 'meanMax', ...windows }],
	['a decoder in bfloat16, last token', 'llama', { 'training.precision': 'bf16' }],
	['a decoder in 8 bits on 4, mean', 'llama', { 'training.precision': 'int8', 'head.pool': 'mean', ...nf4 }],
	['a decoder with a window, last token', 'mistral', windows],
	['a decoder asked for the next token', 'llama', { objective: 'nextToken', 'nextToken.prompt': ' ok?' }],
	['an encoder, first token', 'bert', { 'head.pool': 'first', ...windows }],
	['an encoder with local layers, maximum', 'modernBert', { 'head.pool': 'max' }],
];

/** A detector whose adapter and head have an opinion. */
function open(shape: keyof typeof tinyShapes, overrides: Readonly<Record<string, string>>) {
	const model = writeTinyModel(path.join(root, shape), tinyShapes[shape]);
	const config = tinyConfig({ model, data: root, output: root }, { 'method.dropout': '0', ...overrides });
	const base = openBase(config);
	const backend = createBackend({ type: testBackend as 'cpu', isa: 'auto', threads: 2 }, () => {});
	const detector = createDetectorOf(config, backend, base.folder);
	const { values } = detector.parameters;
	backend.upload(values, normalArray(3, 0, values.shape[0]!, 0.2));
	const close = () => {
		detector.free();
		backend.close();
		base.close();
	};
	return { detector, scoring: scoringOf(config, base.tokenizer, base.folder.config), close };
}

/** [functions] in packs of these options. */
function scorePacked(
	detector: Detector,
	ids: readonly Int32Array[],
	packing: PackingOptions,
	{ pass, tokens: around, windowCombination }: ScoringOptions,
): Float64Array {
	const { packs } = packFunctions(
		ids.map(({ length }) => length),
		packing,
		{ tokens: ids },
	);
	const built = packs.map((pieces) => buildPack(pieces, ids, around.separator, 'isolated', around));
	const scores = built.flatMap((pack) => [...scorePack(detector, pack, pass).probabilities]);
	const owners = built.flatMap((pack) => [...pack.functionIndex]);
	return combineWindows(scores, owners, ids.length, windowCombination);
}

describe('functions that are shuffled and packed otherwise', () => {
	it.each(cases)('have the same probabilities to the byte: %s', async (_, shape, overrides) => {
		const { detector, scoring, close } = open(shape, overrides);
		const expected = (await scoreFunctions(detector, { tokens }, scoring))!.probabilities;
		expect(new Set(expected).size).toBeGreaterThan(8);
		const usual = scoringPacking(scoring.packing, scoring.tokens);
		fc.assert(
			fc.property(anyPacking, ({ shuffle, ...options }) => {
				const order = [...permutation(shuffle, hashStream('shuffled functions'), tokens.length)];
				const packing = {
					...usual,
					...options,
					sharePrefixes: options.sharePrefixes && usual.sharePrefixes === true,
				};
				const found = scorePacked(
					detector,
					order.map((index) => tokens[index]!),
					packing,
					scoring,
				);
				expect([...found]).toEqual(order.map((index) => expected[index]));
			}),
			runsOf({ suite: 8, nightly: 300, seed: 5 }),
		);
		close();
	});
});
