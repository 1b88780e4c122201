import { expect, it } from 'vitest';
import { joinPacks } from './join-packs.ts';
import type { Piece } from './options.ts';
import { buildPack, type Pack } from './pack.ts';

const piece = (functionIndex: number, end: number, shared = 0): Piece => ({
	...{ functionIndex, start: 0, end, windowIndex: 0, windowCount: 1, suffixLength: 0, shared },
});
const tokens = [1, 2, 3, 4, 5].map((_, f) =>
	Int32Array.from({ length: 8 }, (_, i) => (i < 2 ? i : 10 * f + i)),
);
const build = (pieces: readonly Piece[], packing: 'isolated' | 'leaky' = 'isolated') =>
	buildPack(pieces, tokens, 99, packing);

/** The ids that each token of a pack attends to, itself the last, by segments and their parents. */
function seen({ inputIds, segmentStarts, segmentParents }: Pack): number[][] {
	const segment = (s: number, to = segmentStarts[s + 1]!): number[] => {
		const parent = segmentParents[s]!;
		return [...(parent < 0 ? [] : segment(parent)), ...inputIds.subarray(segmentStarts[s], to)];
	};
	return Array.from(inputIds, (_, token) => {
		const own = segmentStarts.findLastIndex((start) => start <= token);
		return segment(own, token + 1);
	});
}

it('joins packs so that each token sees what it sees alone, prefixes shared or not', () => {
	const packs = [
		build([piece(0, 5)]),
		build([piece(1, 6), piece(2, 7, 2)]),
		build([piece(3, 3), piece(4, 8)]),
	];
	const joined = joinPacks(packs);
	// all pieces in one pack, which are isolated from each other anyway
	expect(joined).toEqual(build([piece(0, 5), piece(1, 6), piece(2, 7, 2), piece(3, 3), piece(4, 8)]));
	expect(seen(joined)).toEqual(packs.flatMap(seen));
});

it('keeps how much stands before every function, and what it is asked', () => {
	const around = { leading: [7, 8], suffix: [9] };
	const asked = (pieces: readonly Piece[]) => {
		const longer = pieces.map((one) => ({ ...one, suffixLength: 3 }));
		return buildPack(longer, tokens, 99, 'isolated', around);
	};
	expect(joinPacks([asked([piece(0, 5)]), asked([piece(1, 6), piece(2, 7)])])).toEqual(
		asked([piece(0, 5), piece(1, 6), piece(2, 7)]),
	);
	expect(joinPacks([asked([piece(0, 5)]), asked([piece(1, 6)])]).leadingLength).toBe(2);
});

it('keeps leaky packs from each other', () => {
	const packs = [build([piece(0, 3), piece(1, 2)], 'leaky'), build([piece(2, 4), piece(3, 1)], 'leaky')];
	const joined = joinPacks(packs);
	expect(seen(joined)).toEqual(packs.flatMap(seen));
	expect([...joined.positionIds]).toEqual([...packs[0]!.positionIds, ...packs[1]!.positionIds]);
	expect([...joined.segmentStarts]).toEqual([0, 7, 14]);
	expect([...joined.poolPositions]).toEqual([2, 5, 10, 12]);
});

it('joins the scores that a stacked head sees, and refuses nothing at all', () => {
	const scored = (pieces: readonly Piece[], ...scores: readonly number[]) => ({
		...build(pieces),
		stackedScores: Float32Array.from(scores),
	});
	const joined = joinPacks([scored([piece(0, 2)], 0.5), scored([piece(1, 2), piece(2, 3)], 0.25, 0.75)]);
	expect([...joined.stackedScores!]).toEqual([0.5, 0.25, 0.75]);
	expect(() => joinPacks([])).toThrow(TypeError);
});
