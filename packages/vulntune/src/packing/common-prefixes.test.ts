import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packEpoch } from './epoch.ts';
import { type PackingOptions, type Piece, packSize } from './options.ts';
import { buildPack } from './pack.ts';
import { packFunctions } from './pack-functions.ts';

const separator = 1;
const question = [2, 3];

const anyOptions: fc.Arbitrary<PackingOptions> = fc.record({
	length: fc.integer({ min: 24, max: 120 }),
	packing: fc.constant('isolated' as const),
	order: fc.constantFrom('bestFit', 'arrival'),
	maxFunctions: fc.integer({ min: 1, max: 6 }),
	largeFunctions: fc.constantFrom('ignore', 'truncate', 'window'),
	windowStride: fc.option(fc.integer({ min: 1, max: 50 }), { nil: null }),
	suffixLength: fc.constantFrom(0, question.length),
	sharePrefixes: fc.constant(true),
});

/** Functions of which many begin alike, some being the same or the beginning of another. */
const anyFunctions: fc.Arbitrary<number[][]> = fc.array(
	fc
		.record({
			stem: fc.integer({ min: 10, max: 12 }),
			common: fc.integer({ min: 0, max: 60 }),
			rest: fc.array(fc.integer({ min: 10, max: 13 }), { maxLength: 60 }),
		})
		.map(({ stem, common, rest }) => [...Array.from({ length: common }, (_, i) => stem + i), ...rest]),
	{ maxLength: 25 },
);

const lengthsOf = (tokens: readonly (readonly number[])[]) => tokens.map((ids) => ids.length);
const share = (tokens: readonly (readonly number[])[], options: PackingOptions, order?: readonly number[]) =>
	packFunctions(lengthsOf(tokens), options, order === undefined ? { tokens } : { tokens, order });

/** Pieces as they are without sharing, in a fixed order. */
function piecesOf(packs: readonly (readonly Piece[])[]): Piece[] {
	return packs
		.flat()
		.map(({ shared: _shared, ...piece }) => piece)
		.sort((a, b) => a.functionIndex - b.functionIndex || a.windowIndex - b.windowIndex);
}

const rangeOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('functions that begin alike', () => {
	it('are as many together as two sequences hold, however many there are', () => {
		const tokens = rangeOf(0, 30).map((f) => [
			...rangeOf(10, 30),
			...rangeOf(100 * (f + 1), 100 * (f + 1) + 10),
		]);
		const options = { length: 60, packing: 'isolated', order: 'bestFit', maxFunctions: 200 } as const;
		const { packs } = share(tokens, { ...options, largeFunctions: 'ignore', sharePrefixes: true });
		// a beginning of 20 tokens, and 11 of each function with its separator
		expect(packs.map(({ length }) => length)).toEqual([9, 9, 9, 3]);
		expect(Math.max(...packs.map(packSize))).toBe(20 + 9 * 11);
	});

	it('are packed like all others: every piece once, no pack too long or with too many', () => {
		fc.assert(
			fc.property(anyFunctions, anyOptions, (tokens, options) => {
				const plan = share(tokens, options);
				const plain = packFunctions(lengthsOf(tokens), { ...options, sharePrefixes: false });
				expect(piecesOf(plan.packs)).toEqual(piecesOf(plain.packs));
				expect([plan.ignored, plan.truncated]).toEqual([plain.ignored, plain.truncated]);
				expect(plan.tokens + plan.sharedTokens).toBe(plain.tokens);
				expect(plan.efficiency).toBeLessThanOrEqual(1 + 1e-12);
				expect(plan.largestPack).toBe(Math.max(0, ...plan.packs.map(packSize)));
				for (const pack of plan.packs) {
					const groups = pack.filter((piece) => (piece.shared ?? 0) === 0).length;
					expect(packSize(pack)).toBeLessThanOrEqual(groups === 1 ? 2 * options.length : options.length);
					const most =
						options.order === 'arrival' ? Math.max(1, options.maxFunctions - 1) : options.maxFunctions;
					expect(pack.length).toBeLessThanOrEqual(most);
				}
			}),
		);
	});

	it('are whole in their pack: prefix and own tokens, their positions and what they attend to', () => {
		fc.assert(
			fc.property(anyFunctions, anyOptions, (tokens, options) => {
				const suffix = options.suffixLength === 0 ? [] : question;
				for (const pieces of share(tokens, options).packs) {
					const pack = buildPack(pieces, tokens, separator, 'isolated', { suffix });
					expect(pack.inputIds).toHaveLength(packSize(pieces));
					for (const [f, piece] of pieces.entries()) {
						const prefix = rangeOf(pack.prefixRanges[2 * f]!, pack.prefixRanges[2 * f + 1]!);
						const own = rangeOf(pack.pieceStarts[f]!, pack.pieceStarts[f + 1]!);
						const rows = [...prefix, ...own];
						const text = [...tokens[piece.functionIndex]!.slice(piece.start, piece.end), ...suffix];
						expect(rows.map((row) => pack.inputIds[row])).toEqual([...text, separator]);
						expect(rows.map((row) => pack.positionIds[row])).toEqual(rangeOf(0, rows.length));
						expect(pack.poolPositions[f]).toBe(rows[Math.max(0, text.length - 1)]);
						expect(rows.map((row) => seenBy(pack, row))).toEqual(rows.map((_, i) => rows.slice(0, i + 1)));
					}
				}
			}),
		);
	});

	it('share the same packs whatever order they come in, with bestFit', () => {
		fc.assert(
			fc.property(anyFunctions, anyOptions, fc.infiniteStream(fc.nat()), (tokens, options, keys) => {
				const bestFit = { ...options, order: 'bestFit' } as const;
				const sortKeys = tokens.map(() => keys.next().value!);
				const shuffled = tokens.map((_, index) => index).sort((a, b) => sortKeys[a]! - sortKeys[b]!);
				expect(share(tokens, bestFit, shuffled).packs).toEqual(share(tokens, bestFit).packs);
			}),
		);
	});
});

/** The tokens that a token of a pack attends to. */
function seenBy(pack: ReturnType<typeof buildPack>, row: number): number[] {
	const { segmentStarts: starts, segmentParents: parents } = pack;
	const s = starts.findLastIndex((start) => start <= row);
	const parent = parents[s]!;
	return [
		...(parent < 0 ? [] : rangeOf(starts[parent]!, starts[parent + 1]!)),
		...rangeOf(starts[s]!, row + 1),
	];
}

const options: PackingOptions = {
	length: 100,
	packing: 'isolated',
	order: 'bestFit',
	maxFunctions: 200,
	largeFunctions: 'ignore',
	sharePrefixes: true,
};
/** `common` equal tokens, then `own` that no other function has. */
const text = (common: number, own: number, from: number) => [
	...rangeOf(10_000, 10_000 + common),
	...rangeOf(from, from + own),
];
const grouped = (tokens: number[][], changed: Partial<PackingOptions> = {}) =>
	share(tokens, { ...options, ...changed }).packs.map((pack) =>
		pack.map((piece) => `${piece.functionIndex}:${piece.shared ?? 0}`).join(' '),
	);

describe('a common prefix', () => {
	it('is computed once from 16 tokens on', () => {
		expect(grouped([text(16, 5, 100), text(16, 7, 200)], { length: 32 })).toEqual(['0:0 1:16']);
		expect(grouped([text(15, 5, 100), text(15, 7, 200)], { length: 32 })).toEqual(['1:0', '0:0']);
	});

	it('is that of all in the pack, and goes to those who save the most by it', () => {
		const [long, longer, short] = [text(60, 9, 100), text(60, 20, 200), text(30, 50, 300)];
		expect(grouped([long, longer, short], { length: 90, maxFunctions: 2 })).toEqual(['0:0 1:60', '2:0']);
		// together all three save 2 × 30 tokens, two of them alone 60 as well
		expect(share([long, longer, short], { ...options, length: 82 }).sharedTokens).toBe(60);
		expect(grouped([text(40, 9, 100), text(40, 20, 200), text(30, 5, 300)])).toEqual(['0:0 1:30 2:30']);
	});

	it('may be a whole function, or two', () => {
		const whole = text(30, 0, 0);
		expect(grouped([whole, text(30, 4, 100), whole])).toEqual(['0:0 1:30 2:30']);
		const { tokens } = share([whole, text(30, 4, 100), whole], options);
		expect(tokens).toBe(30 + 1 + (4 + 1) + 1);
	});

	it('keeps functions together that are longer than a sequence together', () => {
		const two = [text(60, 39, 100), text(60, 39, 200)];
		const plan = share(two, options);
		expect(plan).toMatchObject({ tokens: 140, sharedTokens: 60, largestPack: 140, efficiency: 1 });
		expect(plan.packs).toHaveLength(1);
	});

	it('is found between windows too', () => {
		const ids = Array.from({ length: 150 }, (_, i) => i);
		const changed = ids.with(20, 999);
		const plan = share([ids, changed], { ...options, largeFunctions: 'window', windowStride: 99 });
		const shared = plan.packs.flat().filter((piece) => piece.shared !== undefined);
		expect(shared).toMatchObject([
			{ windowIndex: 0, shared: 20 },
			{ windowIndex: 1, shared: 99 },
		]);
	});

	it.each(['leaky', 'none'] as const)('is nothing where packs are %s', (packing) => {
		expect(share([text(50, 5, 100), text(50, 7, 200)], { ...options, packing }).sharedTokens).toBe(0);
	});

	it('keeps functions together in every epoch, however they arrive', () => {
		const tokens = Array.from({ length: 12 }, (_, i) => [
			...rangeOf(1000 * (i >> 1), 1000 * (i >> 1) + 20),
			i,
		]);
		const epochs = [1, 2].map((epoch) =>
			packEpoch(lengthsOf(tokens), { ...options, order: 'arrival', length: 40 }, 5, epoch, tokens),
		);
		expect(epochs[0]!.packs).not.toEqual(epochs[1]!.packs);
		for (const { packs, sharedTokens } of epochs) {
			expect(sharedTokens).toBe(6 * 20);
			expect(packs.every((pack) => pack.length === 2)).toBe(true);
		}
	});

	it('needs the tokens', () => {
		expect(() => packFunctions([30, 30], options)).toThrow(TypeError);
	});
});
