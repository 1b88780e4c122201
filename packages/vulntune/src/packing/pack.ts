import { type PackingOptions, type Piece, pieceSize } from './options.ts';

/**
 * One sequence as the model takes it. T tokens without padding, F segments; a segment is a function (or a window of one) and
 * the separator that closes it.
 */
export interface Pack {
	/** [T] */
	readonly inputIds: Int32Array;
	/** [T]; restarts at 0 in each segment, save in a leaky pack */
	readonly positionIds: Int32Array;
	/** [F + 1]; segment f is tokens [segmentStarts[f], segmentStarts[f + 1]) and ends with its separator */
	readonly segmentStarts: Int32Array;
	/** [A + 1]; a token attends within its own stretch alone: the segments, or in a leaky pack the whole sequence */
	readonly attentionStarts: Int32Array;
	/** [F]; the last token before each separator, where a decoder's state stands for the function */
	readonly poolPositions: Int32Array;
	/** [F]; index of the function among the lengths that were packed */
	readonly functionIndex: Int32Array;
	/** [F]; which window of the function this is, and of how many; 0 of 1 for a whole function */
	readonly windowIndex: Int32Array;
	readonly windowCount: Int32Array;
}

/**
 * Puts the tokens of a planned pack together.
 *
 * @param pieces one entry of `PackPlan.packs`
 * @param tokens ids per function, [functions] of [tokens]
 * @param suffix ids put after every function, as many as the plan was made for
 * @param separator id of the token that closes each function: the model's EOS
 */
export function buildPack(
	pieces: readonly Piece[],
	tokens: readonly ArrayLike<number>[],
	separator: number,
	packing: PackingOptions['packing'],
	suffix: readonly number[] = [],
): Pack {
	const total = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
	const inputIds = new Int32Array(total); // [T]
	const positionIds = new Int32Array(total); // [T]
	const segmentStarts = new Int32Array(pieces.length + 1); // [F + 1]
	const poolPositions = new Int32Array(pieces.length); // [F]
	let position = 0;
	for (const [segment, piece] of pieces.entries()) {
		const start = position;
		const ids = tokens[piece.functionIndex]!;
		for (let index = piece.start; index < piece.end; index++) inputIds[position++] = ids[index]!;
		for (const id of suffix) inputIds[position++] = id;
		inputIds[position++] = separator;
		// A text without a single token leaves only its separator to pool.
		poolPositions[segment] = Math.max(start, position - 2);
		segmentStarts[segment + 1] = position;
		const first = packing === 'leaky' ? 0 : start;
		for (let index = start; index < position; index++) positionIds[index] = index - first;
	}
	return {
		inputIds,
		positionIds,
		segmentStarts,
		attentionStarts: packing === 'leaky' ? Int32Array.of(0, total) : segmentStarts,
		poolPositions,
		functionIndex: Int32Array.from(pieces, (piece) => piece.functionIndex),
		windowIndex: Int32Array.from(pieces, (piece) => piece.windowIndex),
		windowCount: Int32Array.from(pieces, (piece) => piece.windowCount),
	};
}
