import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { type PackingOptions, type Piece, pieceSize } from './options.ts';
import { packFunctions } from './pack-functions.ts';
import { separatorPositions } from './testing/separator-positions.ts';

const defaults: PackingOptions = {
	length: 32,
	packing: 'isolated',
	order: 'bestFit',
	maxFunctions: 200,
	largeFunctions: 'ignore',
};

const anyOptions: fc.Arbitrary<PackingOptions> = fc.record({
	length: fc.integer({ min: 2, max: 40 }),
	packing: fc.constantFrom('isolated', 'leaky', 'none'),
	order: fc.constantFrom('bestFit', 'arrival'),
	maxFunctions: fc.integer({ min: 1, max: 6 }),
	largeFunctions: fc.constantFrom('ignore', 'truncate', 'window'),
	windowStride: fc.option(fc.integer({ min: 1, max: 50 }), { nil: null }),
});
const anyLengths = fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 60 });

function piecesOf(packs: readonly (readonly Piece[])[]): Piece[][] {
	const byFunction: Piece[][] = [];
	for (const piece of packs.flat()) (byFunction[piece.functionIndex] ??= []).push(piece);
	return byFunction;
}

describe('packing', () => {
	it('keeps every function once, whole, cut or in windows, or reports it as ignored', () => {
		fc.assert(
			fc.property(anyLengths, anyOptions, (lengths, options) => {
				const plan = packFunctions(lengths, options);
				const byFunction = piecesOf(plan.packs);
				const cut = lengths.flatMap((length, index) => (length >= options.length ? [index] : []));
				expect(plan.truncated.toSorted((a, b) => a - b)).toEqual(
					options.largeFunctions === 'truncate' ? cut : [],
				);
				for (const [index, length] of lengths.entries()) {
					const pieces = (byFunction[index] ?? []).toSorted((a, b) => a.windowIndex - b.windowIndex);
					if (length < options.length) {
						expect(pieces).toMatchObject([{ start: 0, end: length, windowCount: 1, suffixLength: 0 }]);
					} else if (options.largeFunctions === 'ignore') {
						expect(pieces).toEqual([]);
						expect(plan.ignored).toContain(index);
					} else if (options.largeFunctions === 'truncate') {
						expect(pieces).toMatchObject([
							{ start: 0, end: options.length - 1, windowCount: 1, suffixLength: 0 },
						]);
						expect(plan.truncated).toContain(index);
					} else {
						expect(pieces[0]!.start).toBe(0);
						expect(pieces.at(-1)!.end).toBe(length);
						for (const [window, piece] of pieces.entries()) {
							expect(piece).toMatchObject({ windowIndex: window, windowCount: pieces.length });
							expect(piece.end - piece.start).toBe(options.length - 1);
							const next = pieces[window + 1];
							if (next !== undefined) {
								expect(next.start).toBeGreaterThan(piece.start);
								expect(next.start).toBeLessThanOrEqual(piece.end);
							}
						}
					}
				}
				expect(plan.ignored.length + byFunction.filter(Boolean).length).toBe(lengths.length);
				expect(new Set(plan.ignored).size).toBe(plan.ignored.length);
			}),
		);
	});

	it('never makes an empty pack, nor one above its length or number of functions', () => {
		fc.assert(
			fc.property(anyLengths, anyOptions, (lengths, options) => {
				const plan = packFunctions(lengths, options);
				let tokens = 0;
				for (const pack of plan.packs) {
					const used = pack.reduce((sum, piece) => sum + pieceSize(piece), 0);
					tokens += used;
					expect(used).toBeLessThanOrEqual(options.length);
					expect(pack.length).toBeGreaterThan(0);
					expect(pack.length).toBeLessThanOrEqual(options.packing === 'none' ? 1 : options.maxFunctions);
				}
				expect(plan.tokens).toBe(tokens);
				const total = plan.packs.length * options.length;
				expect(plan.efficiency).toBeCloseTo(total === 0 ? 1 : tokens / total, 12);
			}),
		);
	});

	it('is the same for every order of arrival with bestFit', () => {
		fc.assert(
			fc.property(anyLengths, anyOptions, fc.infiniteStream(fc.nat()), (lengths, options, keys) => {
				const bestFit = { ...options, order: 'bestFit', packing: 'isolated' } as const;
				const sortKeys = lengths.map(() => keys.next().value!);
				const shuffled = lengths.map((_, index) => index).sort((a, b) => sortKeys[a]! - sortKeys[b]!);
				expect(packFunctions(lengths, bestFit, { order: shuffled }).packs).toEqual(
					packFunctions(lengths, bestFit).packs,
				);
			}),
		);
	});

	it('puts each function into the fullest pack with room', () => {
		// Sizes with separators: 20, 14, 12, 10, 7; the 12 fits both packs' gaps (12 and 18).
		const { packs } = packFunctions([13, 19, 6, 11, 9], defaults);
		expect(packs.map((pack) => pack.map((piece) => piece.functionIndex))).toEqual([
			[1, 3],
			[0, 4, 2],
		]);
	});

	it('lays windows half a window apart unless a stride is given', () => {
		const cut = (windowStride: number | null) =>
			packFunctions([50], { ...defaults, length: 21, largeFunctions: 'window', windowStride }).packs.map(
				([piece]) => [piece!.start, piece!.end],
			);
		expect(cut(null)).toEqual([
			[0, 20],
			[10, 30],
			[20, 40],
			[30, 50],
		]);
		expect(cut(16)).toEqual([
			[0, 20],
			[16, 36],
			[30, 50],
		]);
	});
});

const fixture = needsShared('fixtures/packing.json');
describe.skipIf(fixture.skip)('the packing of the paper', () => {
	interface PackingCase {
		lengths: number[];
		order: number[];
		seq_length: number;
		max_funcs_in_seq: number;
		packs: number[][];
		dropped: number[];
	}
	interface PoolingCase {
		name: string;
		input_ids: number[][];
		sep: number;
		flat_positions: number[];
	}
	const cases = fixture.skip
		? { packing_cases: [], pooling_cases: [] }
		: (JSON.parse(readFileSync(fixture.path, 'utf8')) as {
				packing_cases: PackingCase[];
				pooling_cases: PoolingCase[];
			});

	it.each(cases.packing_cases)('is that of its code for $seq_length tokens', (example) => {
		const options: PackingOptions = {
			...defaults,
			order: 'arrival',
			length: example.seq_length,
			maxFunctions: example.max_funcs_in_seq,
		};
		const plan = packFunctions(example.lengths, options, { order: example.order });
		expect(plan.packs.map((pack) => pack.map((piece) => piece.functionIndex))).toEqual(example.packs);
		expect(plan.ignored.toSorted()).toEqual(example.dropped.toSorted());
	});

	it.each(cases.pooling_cases)('pools as its code: $name', ({ input_ids, sep, flat_positions }) => {
		expect(separatorPositions(input_ids, sep)).toEqual(flat_positions);
	});
});
