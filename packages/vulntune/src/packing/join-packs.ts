import type { Pack } from './pack.ts';

/**
 * Joins packs into one that goes through a model at once, in which each function sees what it saw in its own pack. All must have been
 * built with the same surroundings, and either all have stacked scores or none.
 */
export function joinPacks(packs: readonly Pack[]): Pack {
	const [first] = packs;
	if (first === undefined) throw new TypeError('there is no pack to join');
	if (packs.length === 1) return first;
	const tokensBefore = before(packs, ({ inputIds }) => inputIds.length);
	const segmentsBefore = before(packs, ({ segmentParents }) => segmentParents.length);
	/** Of places that each pack counts from its own start. */
	const moved = (part: (pack: Pack) => Int32Array, by: readonly number[]) =>
		joinIntegers(packs.map((pack, p) => part(pack).map((place) => (place < 0 ? place : place + by[p]!))));
	/** Starts and the end of the last: the end of each pack is the start of the next. */
	const starts = (part: (pack: Pack) => Int32Array) =>
		Int32Array.of(...moved((pack) => part(pack).subarray(0, -1), tokensBefore), tokensBefore.at(-1)!);
	const plain = (part: (pack: Pack) => Int32Array) => joinIntegers(packs.map(part));
	return {
		inputIds: plain(({ inputIds }) => inputIds),
		positionIds: plain(({ positionIds }) => positionIds),
		pieceStarts: starts(({ pieceStarts }) => pieceStarts),
		prefixRanges: moved(({ prefixRanges }) => prefixRanges, tokensBefore),
		segmentStarts: starts(({ segmentStarts }) => segmentStarts),
		segmentParents: moved(({ segmentParents }) => segmentParents, segmentsBefore),
		leadingLength: first.leadingLength,
		poolPositions: moved(({ poolPositions }) => poolPositions, tokensBefore),
		functionIndex: plain(({ functionIndex }) => functionIndex),
		windowIndex: plain(({ windowIndex }) => windowIndex),
		windowCount: plain(({ windowCount }) => windowCount),
		...(first.stackedScores === undefined
			? {}
			: { stackedScores: Float32Array.from(packs.flatMap((pack) => [...pack.stackedScores!])) }),
	};
}

/** [packs + 1] how much of something lies before each, and how much there is. */
function before(packs: readonly Pack[], count: (pack: Pack) => number): readonly number[] {
	let sum = 0;
	return [0, ...packs.map((pack) => (sum += count(pack)))];
}

function joinIntegers(parts: readonly Int32Array[]): Int32Array {
	return Int32Array.from(parts.flatMap((part) => [...part]));
}
