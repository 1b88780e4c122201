import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pooledRows, poolRanges } from '../methods/head.ts';
import { buildPack } from './pack.ts';
import { packFunctions } from './pack-functions.ts';
import { separatorPositions } from './testing/separator-positions.ts';

const separator = 2;
const tokens = [[10, 11, 12], [20], [30, 31]];
const [pieces] = packFunctions([3, 1, 2], {
	length: 16,
	packing: 'isolated',
	order: 'arrival',
	maxFunctions: 200,
	largeFunctions: 'ignore',
}).packs;

describe('a pack', () => {
	it('closes each function with the separator and restarts positions', () => {
		const pack = buildPack(pieces!, tokens, separator, 'isolated');
		expect(Array.from(pack.inputIds)).toEqual([10, 11, 12, 2, 20, 2, 30, 31, 2]);
		expect(Array.from(pack.positionIds)).toEqual([0, 1, 2, 3, 0, 1, 0, 1, 2]);
		expect(Array.from(pack.pieceStarts)).toEqual([0, 4, 6, 9]);
		expect(pack.segmentStarts).toEqual(pack.pieceStarts);
		expect(Array.from(pack.poolPositions)).toEqual([2, 4, 7]);
		expect(Array.from(pack.functionIndex)).toEqual([0, 1, 2]);
	});

	it('runs positions and attention over the whole sequence when leaky', () => {
		const pack = buildPack(pieces!, tokens, separator, 'leaky');
		expect(Array.from(pack.positionIds)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
		expect(Array.from(pack.segmentStarts)).toEqual([0, 9]);
		expect(Array.from(pack.segmentParents)).toEqual([-1]);
		expect(Array.from(pack.pieceStarts)).toEqual([0, 4, 6, 9]);
	});

	it('pools the separator of a function without tokens', () => {
		const empty = [0, 1].map((functionIndex) => ({
			functionIndex,
			start: 0,
			end: functionIndex,
			windowIndex: 0,
			windowCount: 1,
			suffixLength: 0,
		}));
		expect(Array.from(buildPack(empty, [[], [7]], separator, 'isolated').poolPositions)).toEqual([0, 1]);
	});

	it('puts branches behind a function, each of which sees that and itself alone', () => {
		const planned = packFunctions([3, 1], {
			length: 32,
			packing: 'isolated',
			order: 'arrival',
			maxFunctions: 200,
			largeFunctions: 'ignore',
			suffixLength: 4,
		}).packs[0]!;
		const pack = buildPack(planned, tokens, separator, 'isolated', {
			suffix: [7],
			branches: [[50], [60, 61]],
		});
		expect(Array.from(pack.inputIds)).toEqual([10, 11, 12, 7, 50, 60, 61, 2, 20, 7, 50, 60, 61, 2]);
		expect(Array.from(pack.positionIds).slice(0, 7)).toEqual([0, 1, 2, 3, 4, 4, 5]);
		expect(Array.from(pack.positionIds).slice(8, 13)).toEqual([0, 1, 2, 2, 3]);
		expect(Array.from(pack.pieceStarts)).toEqual([0, 8, 14]);
		expect(Array.from(pack.poolPositions)).toEqual([3, 9]);
		expect(Array.from(pack.segmentStarts)).toEqual([0, 4, 5, 8, 10, 11, 14]);
		expect(Array.from(pack.segmentParents)).toEqual([-1, 0, 0, -1, 3, 3]);
		const one = buildPack(planned, tokens, separator, 'isolated', {
			suffix: [7],
			branches: [[], [60, 61, 62]],
		});
		expect(Array.from(one.segmentStarts)).toEqual([0, 4, 8, 10, 14]);
		expect(Array.from(one.segmentParents)).toEqual([-1, 0, -1, 2]);
		const build = (...call: [pieces: typeof planned, packing: 'leaky' | 'isolated']) =>
			buildPack(call[0], tokens, separator, call[1], { suffix: [7], branches: [[50], [60, 61]] });
		expect(() => build(planned, 'leaky')).toThrow(TypeError);
		expect(() => build([planned[0]!, { ...planned[1]!, shared: 1 }], 'isolated')).toThrow(TypeError);
	});

	it('holds a common prefix once, in the first of the functions that share it', () => {
		const piece = { start: 0, windowIndex: 0, windowCount: 1, suffixLength: 0 };
		const shared = [
			{ ...piece, functionIndex: 0, end: 1 },
			{ ...piece, functionIndex: 1, end: 3 },
			{ ...piece, functionIndex: 2, end: 4, shared: 2 },
			{ ...piece, functionIndex: 3, end: 2, shared: 2 },
		];
		const pack = buildPack(shared, [[9], [10, 11, 12], [10, 11, 20, 21], [10, 11]], separator, 'isolated');
		expect(Array.from(pack.inputIds)).toEqual([9, 2, 10, 11, 12, 2, 20, 21, 2, 2]);
		expect(Array.from(pack.positionIds)).toEqual([0, 1, 0, 1, 2, 3, 2, 3, 4, 2]);
		expect(Array.from(pack.pieceStarts)).toEqual([0, 2, 6, 9, 10]);
		expect(Array.from(pack.prefixRanges)).toEqual([0, 0, 2, 2, 2, 4, 2, 4]);
		expect(Array.from(pack.segmentStarts)).toEqual([0, 2, 4, 6, 9, 10]);
		expect(Array.from(pack.segmentParents)).toEqual([-1, -1, 1, 1, 1]);
		expect(Array.from(pack.poolPositions)).toEqual([0, 4, 7, 3]);
	});

	it('takes the tokens of its window', () => {
		const window = { functionIndex: 0, start: 2, end: 5, windowIndex: 1, windowCount: 3, suffixLength: 0 };
		const pack = buildPack([window], [[0, 10, 20, 30, 40, 50]], separator, 'isolated');
		expect(Array.from(pack.inputIds)).toEqual([20, 30, 40, 2]);
		expect([pack.windowIndex[0], pack.windowCount[0]]).toEqual([1, 3]);
	});

	it('pools where the paper does while no function holds the separator', () => {
		const functions = fc.array(fc.array(fc.integer({ min: 3, max: 9 }), { minLength: 1, maxLength: 20 }), {
			minLength: 1,
		});
		fc.assert(
			fc.property(functions, (rows) => {
				const plan = packFunctions(
					rows.map((row) => row.length),
					{ length: 24, packing: 'leaky', order: 'bestFit', maxFunctions: 5, largeFunctions: 'ignore' },
				);
				for (const pieces of plan.packs) {
					const pack = buildPack(pieces, rows, separator, 'leaky');
					expect(Array.from(pack.poolPositions)).toEqual(separatorPositions([pack.inputIds], separator));
				}
			}),
		);
	});
});

it('puts a suffix after every function, cut ones too, and pools its last token', () => {
	const plan = packFunctions([3, 40], {
		length: 16,
		packing: 'isolated',
		order: 'arrival',
		maxFunctions: 200,
		largeFunctions: 'truncate',
		suffixLength: 2,
	});
	const long = Array.from({ length: 40 }, (_, index) => 100 + index);
	const packs = plan.packs.map((part) =>
		buildPack(part, [tokens[0]!, long], separator, 'isolated', { suffix: [7, 8] }),
	);
	expect(Array.from(packs[0]!.inputIds)).toEqual([10, 11, 12, 7, 8, 2]);
	expect(packs[1]!.inputIds.length).toBe(16);
	expect(Array.from(packs[1]!.inputIds.slice(-4))).toEqual([112, 7, 8, 2]);
	expect(packs[1]!.inputIds[packs[1]!.poolPositions[0]!]).toBe(8);
});

it('a function of an encoder begins with its own token, which is pooled as the first and is no part of its mean', () => {
	const plan = packFunctions([3, 1], {
		length: 8,
		packing: 'isolated',
		order: 'arrival',
		maxFunctions: 200,
		largeFunctions: 'ignore',
		leadingLength: 1,
		causal: false,
		sharePrefixes: true,
	});
	expect(plan.packs).toHaveLength(1);
	expect(plan.tokens).toBe(8);
	const pack = buildPack(plan.packs[0]!, [[10, 11, 12], [10]], separator, 'isolated', { leading: [1] });
	expect(Array.from(pack.inputIds)).toEqual([1, 10, 11, 12, separator, 1, 10, separator]);
	expect(Array.from(pack.positionIds)).toEqual([0, 1, 2, 3, 4, 0, 1, 2]);
	expect(Array.from(pooledRows('first', pack))).toEqual([0, 5]);
	expect(Array.from(pooledRows('last', pack))).toEqual([3, 6]);
	expect(Array.from(poolRanges(pack)[0])).toEqual([0, 0, 1, 4, 5, 5, 6, 7]);
});
