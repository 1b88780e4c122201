import { type PackingOptions, type Piece, packSize } from './options.ts';

/**
 * One sequence as the model takes it. T tokens without padding, of F pieces one after the other: functions (or windows), each with
 * the separator that closes it. Where functions share a prefix, it lies in the first of them, and the others hold what comes
 * after it.
 */
export interface Pack {
	/** [T] */
	readonly inputIds: Int32Array;
	/** [T]; restarts at 0 in each piece or goes on after its prefix, save in a leaky pack */
	readonly positionIds: Int32Array;
	/** [F + 1]; piece f is tokens [pieceStarts[f], pieceStarts[f + 1]) and ends with its branches, if any, and its separator */
	readonly pieceStarts: Int32Array;
	/** [F, 2]; tokens [from, to) of the piece before it that a function begins with; empty where it shares none */
	readonly prefixRanges: Int32Array;
	/**
	 * [S + 1]; a token attends within its own segment, and to all of the segment's parent: segments are the pieces,
	 * one that others share a prefix with being two, and one with branches that and its branches; or in a leaky pack the whole
	 * sequence
	 */
	readonly segmentStarts: Int32Array;
	/** [S]; the segment that is each one's parent, −1 for none */
	readonly segmentParents: Int32Array;
	/** Tokens that each piece has before those of its function */
	readonly leadingLength: number;
	/** [F]; the last token before each separator, and before its branches, where a decoder's state stands for the function */
	readonly poolPositions: Int32Array;
	/** [F]; index of the function among the lengths that were packed */
	readonly functionIndex: Int32Array;
	/** [F]; which window of the function this is, and of how many; 0 of 1 for a whole function */
	readonly windowIndex: Int32Array;
	readonly windowCount: Int32Array;
	/** [F]; another detector's score of each function, where a stacked head sees it */
	readonly stackedScores?: Float32Array;
}

/** A pack with another detector's scores of its functions; as it is where there are none. */
export function withStackedScores(pack: Pack, scores: Float32Array | undefined): Pack {
	if (scores === undefined) return pack;
	return { ...pack, stackedScores: Float32Array.from(pack.functionIndex, (index) => scores[index]!) };
}

/** Ids that stand beside every function of a pack. */
export interface Surroundings {
	/** Before it. */
	readonly leading?: readonly number[];
	/** After it, before its separator. */
	readonly suffix?: readonly number[];
	/**
	 * After the suffix, each as if it followed that alone: what the model might go on with. Nothing is shared then, and the pack
	 * isn't leaky.
	 */
	readonly branches?: readonly (readonly number[])[];
}

/**
 * Puts the tokens of a planned pack together.
 *
 * @param pieces one entry of `PackPlan.packs`
 * @param tokens ids per function, [functions] of [tokens]
 * @param separator id of the token that closes each function: the model's EOS
 * @param around what else stands beside every function; the plan was made for as many tokens
 */
export function buildPack(
	pieces: readonly Piece[],
	tokens: readonly ArrayLike<number>[],
	separator: number,
	packing: PackingOptions['packing'],
	{ leading = [], suffix = [], branches = [] }: Surroundings = {},
): Pack {
	const branchTokens = branches.reduce((sum, branch) => sum + branch.length, 0);
	if (branchTokens > 0) refuseBranches(pieces, packing);
	const total = packSize(pieces);
	const inputIds = new Int32Array(total); // [T]
	const positionIds = new Int32Array(total); // [T]
	const pieceStarts = new Int32Array(pieces.length + 1); // [F + 1]
	const prefixRanges = new Int32Array(2 * pieces.length); // [F, 2]
	const poolPositions = new Int32Array(pieces.length); // [F]
	let position = 0;
	let owner = 0;
	for (const [f, piece] of pieces.entries()) {
		const start = position;
		const shared = piece.shared ?? 0;
		if (shared === 0) owner = start;
		const ids = tokens[piece.functionIndex]!;
		for (const id of leading) inputIds[position++] = id;
		for (let index = piece.start + shared; index < piece.end; index++) inputIds[position++] = ids[index]!;
		for (const id of suffix) inputIds[position++] = id;
		const trunkEnd = position;
		for (const branch of branches) for (const id of branch) inputIds[position++] = id;
		inputIds[position++] = separator;
		prefixRanges.set(shared === 0 ? [start, start] : [owner, owner + shared], 2 * f);
		// A function that is a prefix of another has no token of its own but the separator, nor has one without tokens.
		const lastOfPrefix = shared === 0 ? start : owner + shared - 1;
		poolPositions[f] = trunkEnd - 1 < start ? lastOfPrefix : trunkEnd - 1;
		pieceStarts[f + 1] = position;
		const first = packing === 'leaky' ? 0 : start - shared;
		for (let index = start; index < position; index++) positionIds[index] = index - first;
		let index = trunkEnd;
		for (const branch of branches) {
			for (let i = 0; i < branch.length; i++) positionIds[index++] = trunkEnd - first + i;
		}
	}
	return {
		inputIds,
		positionIds,
		pieceStarts,
		prefixRanges,
		...(packing === 'leaky'
			? oneSegment(total)
			: branchTokens > 0
				? branchedSegments(pieceStarts, branches)
				: segmentsOf(pieceStarts, pieces)),
		leadingLength: leading.length,
		poolPositions,
		functionIndex: Int32Array.from(pieces, (piece) => piece.functionIndex),
		windowIndex: Int32Array.from(pieces, (piece) => piece.windowIndex),
		windowCount: Int32Array.from(pieces, (piece) => piece.windowCount),
	};
}

type AttentionSegments = Pick<Pack, 'segmentStarts' | 'segmentParents'>;

function oneSegment(total: number): AttentionSegments {
	return { segmentStarts: Int32Array.of(0, total), segmentParents: Int32Array.of(-1) };
}

/** A segment for each piece; one whose beginning others share is cut after it. */
function segmentsOf(pieceStarts: Int32Array, pieces: readonly Piece[]): AttentionSegments {
	const starts: number[] = [];
	const parents: number[] = [];
	let prefix = -1;
	for (const [f, piece] of pieces.entries()) {
		const start = pieceStarts[f]!;
		const isShared = (piece.shared ?? 0) > 0;
		const sharedWithNext = isShared ? 0 : (pieces[f + 1]?.shared ?? 0);
		if (sharedWithNext > 0) {
			prefix = starts.length;
			starts.push(start, start + sharedWithNext);
			parents.push(-1, prefix);
		} else {
			starts.push(start);
			parents.push(isShared ? prefix : -1);
		}
	}
	starts.push(pieceStarts[pieces.length]!);
	return { segmentStarts: Int32Array.from(starts), segmentParents: Int32Array.from(parents) };
}

/** A segment for each piece, and behind it its branches, each of which sees that and itself. */
function branchedSegments(
	pieceStarts: Int32Array,
	branches: readonly (readonly number[])[],
): AttentionSegments {
	const starts: number[] = [];
	const parents: number[] = [];
	const lengths = branches.map((branch) => branch.length).filter((length) => length > 0);
	const branchTokens = lengths.reduce((sum, length) => sum + length, 0);
	for (const [f, start] of pieceStarts.subarray(0, -1).entries()) {
		const trunk = starts.length;
		starts.push(start);
		parents.push(-1);
		// the separator belongs to the last branch
		let next = pieceStarts[f + 1]! - 1 - branchTokens;
		for (const length of lengths) {
			starts.push(next);
			parents.push(trunk);
			next += length;
		}
	}
	starts.push(pieceStarts.at(-1)!);
	return { segmentStarts: Int32Array.from(starts), segmentParents: Int32Array.from(parents) };
}

/** A branch's parent is its function: there is no second one for a shared prefix, and none in a leaky pack. */
function refuseBranches(pieces: readonly Piece[], packing: PackingOptions['packing']): void {
	if (packing !== 'leaky' && pieces.every(({ shared = 0 }) => shared === 0)) return;
	throw new TypeError('branches go with neither leaky packs nor shared prefixes');
}
