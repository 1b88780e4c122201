import '../../../../tests/properties.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinPairs } from './join-pairs.ts';
import type { PackingOptions } from './options.ts';
import { packSize } from './options.ts';
import { packFunctions } from './pack-functions.ts';

const common = { length: 40, packing: 'isolated', maxFunctions: 10, largeFunctions: 'ignore' } as const;

describe('functions that are to lie together', () => {
	it.each(['bestFit', 'arrival'] as const)(
		'do, where they fit, and every function is packed once: %s',
		(order) => {
			const drawn = fc.array(fc.integer({ min: 1, max: 45 }), { minLength: 2, maxLength: 30 });
			fc.assert(
				fc.property(drawn, fc.boolean(), (lengths, sharePrefixes) => {
					const options: PackingOptions = { ...common, order, sharePrefixes };
					const together = Array.from({ length: lengths.length >> 1 }, (_, i) => [2 * i, 2 * i + 1] as const);
					// what begins alike differs from pair to pair, and at its end
					const tokens = lengths.map((length, f) =>
						Int32Array.from({ length }, (_, i) => (i < 20 ? f >> 2 : f)),
					);
					const { packs, ignored } = packFunctions(lengths, options, { together, tokens });
					const packed = packs.flat().map(({ functionIndex }) => functionIndex);
					expect([...packed, ...ignored].toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
					const packOf = new Map(
						packs.flatMap((pieces, pack) => pieces.map((piece) => [piece.functionIndex, pack])),
					);
					for (const [a, b] of together) {
						const isWhole = packOf.has(a) && packOf.has(b);
						// without shared prefixes any two that fit a sequence each fit a group
						if (isWhole && !sharePrefixes) expect(packOf.get(a)).toBe(packOf.get(b));
					}
					for (const pieces of packs) {
						expect(packSize(pieces)).toBeLessThanOrEqual(2 * common.length);
						for (const [place, { shared = 0 }] of pieces.entries()) {
							if (shared === 0) continue;
							// the beginning that it shares is the nearest piece's before it that has all of its own
							const owner = pieces.slice(0, place).findLast((piece) => (piece.shared ?? 0) === 0)!;
							const [own, theirs] = [tokens[pieces[place]!.functionIndex]!, tokens[owner.functionIndex]!];
							expect([...own.subarray(0, shared)]).toEqual([...theirs.subarray(0, shared)]);
						}
					}
				}),
			);
		},
	);

	it('stay apart where they are too long for one sequence and its group', () => {
		const { packs } = packFunctions(
			[20, 20, 20, 20, 20],
			{ ...common, order: 'bestFit', length: 21 },
			{
				together: [
					[0, 4],
					[1, 4],
				],
			},
		);
		const packsWith = (f: number) =>
			packs.find((pieces) => pieces.some((piece) => piece.functionIndex === f))!;
		expect(packsWith(0)).toBe(packsWith(4));
		expect(packsWith(1)).not.toBe(packsWith(4));
	});

	it.each([
		['bestFit', 2, [[0, 1], [2]]],
		['bestFit', 3, [[0, 1, 2]]],
		['arrival', 2, [[0], [1], [2]]],
		['arrival', 3, [[0, 1], [2]]],
	] as const)('stay within the number of functions of a pack: %s, %d', (order, maxFunctions, expected) => {
		const whole = { start: 0, end: 2, windowIndex: 0, windowCount: 1, suffixLength: 0 };
		const groups = [0, 1, 2].map((functionIndex) => [{ ...whole, functionIndex }]);
		const pairs = [
			[0, 1],
			[1, 2],
		] as const;
		const joined = joinPairs(groups, pairs, { ...common, order, maxFunctions });
		expect(joined.map((group) => group.map(({ functionIndex }) => functionIndex))).toEqual(expected);
	});
});
