import { groupLimits, type PackingOptions, type Piece, pieceSize } from './options.ts';

/** Fewer tokens in common are not worth a pack that must hold all who share them. */
const MINIMUM_PREFIX = 16;

/**
 * Groups of pieces that begin alike, each to lie in one pack where the first has its tokens and the others only those
 * after the common ones; a piece that shares nothing is a group by itself. Of all ways to cut the pieces, in the order of
 * their tokens, into groups, it is the one that leaves the fewest tokens.
 *
 * Groups come in the order of the piece of each that comes first; inside a group it is that of functions and windows. Which
 * pieces share a group depends on the pieces alone, not on their order.
 */
export function groupByPrefix(
	pieces: readonly Piece[],
	tokens: readonly ArrayLike<number>[],
	options: PackingOptions,
): Piece[][] {
	const sorted = pieces.map((piece, arrival) => ({ piece, arrival, ids: tokens[piece.functionIndex]! }));
	sorted.sort((a, b) => compareTokens(a, b) || comparePieces(a.piece, b.piece));
	const ends = cheapestCuts(sorted, options);
	const groups: { arrival: number; pieces: Piece[] }[] = [];
	for (let end = sorted.length; end > 0; ) {
		const { start, prefix } = ends[end]!;
		const members = sorted.slice(start, end);
		const arrival = members.reduce((first, member) => Math.min(first, member.arrival), pieces.length);
		const [first, ...others] = members.map(({ piece }) => piece).sort(comparePieces);
		groups.push({ arrival, pieces: [first!, ...others.map((piece) => ({ ...piece, shared: prefix }))] });
		end = start;
	}
	return groups.sort((a, b) => a.arrival - b.arrival).map((group) => group.pieces);
}

interface Member {
	readonly piece: Piece;
	readonly ids: ArrayLike<number>;
}

interface Cut {
	/** The group that ends here begins at this place of the order. */
	readonly start: number;
	/** Tokens that all of it have in common. */
	readonly prefix: number;
	/** Tokens that all groups up to here leave out. */
	readonly saved: number;
}

/** For each place in the order, the last group of the best way to cut what lies before it. [members + 1] */
function cheapestCuts(members: readonly Member[], options: PackingOptions): Cut[] {
	const { functions: largest, tokens: room } = groupLimits(options);
	const common = members.map((member, i) => (i === 0 ? 0 : commonTokens(members[i - 1]!, member)));
	const cuts: Cut[] = [{ start: 0, prefix: 0, saved: 0 }];
	for (let end = 1; end <= members.length; end++) {
		let best: Cut = { start: end - 1, prefix: 0, saved: cuts[end - 1]!.saved };
		let prefix = Number.POSITIVE_INFINITY;
		let size = pieceSize(members[end - 1]!.piece);
		for (let start = end - 2; start >= 0 && end - start <= largest; start--) {
			prefix = Math.min(prefix, common[start + 1]!);
			size += pieceSize(members[start]!.piece);
			const left = (end - start - 1) * prefix;
			// growing further, a group only shares less and takes more
			if (prefix < MINIMUM_PREFIX || size - left > room) break;
			const saved = cuts[start]!.saved + left;
			if (saved > best.saved) best = { start, prefix, saved };
		}
		cuts.push(best);
	}
	return cuts;
}

function commonTokens(a: Member, b: Member): number {
	const length = Math.min(a.piece.end - a.piece.start, b.piece.end - b.piece.start);
	let count = 0;
	while (count < length && a.ids[a.piece.start + count] === b.ids[b.piece.start + count]) count++;
	return count;
}

/** By their tokens, the beginning of another before it. */
function compareTokens(a: Member, b: Member): number {
	const common = commonTokens(a, b);
	const at = (member: Member) => {
		const index = member.piece.start + common;
		return index < member.piece.end ? member.ids[index]! : -1;
	};
	return at(a) - at(b);
}

function comparePieces(a: Piece, b: Piece): number {
	return a.functionIndex - b.functionIndex || a.windowIndex - b.windowIndex;
}
