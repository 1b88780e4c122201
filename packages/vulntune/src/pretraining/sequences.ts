import { hashStream, IGNORED_TARGET, permutation } from '@vulntune/engine';
import { packArrival } from '../packing/arrival.ts';
import type { Piece } from '../packing/options.ts';
import { buildPack, type Pack } from '../packing/pack.ts';

/** One sequence of documents, each closed by the end token, and the token that follows each. */
export interface Sequence {
	readonly pack: Pack;
	/** [T]; −100 where nothing that follows belongs to the document */
	readonly targets: Int32Array;
}

/**
 * The sequences of an epoch: documents in a new random order, one after the other as they fit. A document that is
 * longer than a sequence is cut into windows that don't overlap.
 *
 * @param lengths tokens per document, without the end token
 */
export function planSequences(
	lengths: ArrayLike<number>,
	length: number,
	seed: number,
	epoch: number,
): Piece[][] {
	const order = permutation(seed, hashStream(`pretraining/documents/${epoch}`), lengths.length);
	const pieces: Piece[][] = [];
	for (const index of order) {
		for (const piece of windowsOf(index, lengths[index]!, length - 1)) pieces.push([piece]);
	}
	return packArrival(pieces, length, Number.POSITIVE_INFINITY);
}

function windowsOf(functionIndex: number, tokens: number, room: number): Piece[] {
	const windowCount = Math.max(1, Math.ceil(tokens / room));
	return Array.from({ length: windowCount }, (_, windowIndex) => ({
		functionIndex,
		start: windowIndex * room,
		end: Math.min(tokens, (windowIndex + 1) * room),
		windowIndex,
		windowCount,
		suffixLength: 0,
	}));
}

/** How many targets a sequence has. */
export function countTargets(pieces: readonly Piece[]): number {
	return pieces.reduce((sum, piece) => sum + piece.end - piece.start - (isLast(piece) ? 0 : 1), 0);
}

/** Whether a piece ends with its document, so that the end token after it is one. */
function isLast(piece: Pick<Piece, 'windowIndex' | 'windowCount'>): boolean {
	return piece.windowIndex === piece.windowCount - 1;
}

export function buildSequence(
	pieces: readonly Piece[],
	tokens: readonly ArrayLike<number>[],
	separator: number,
): Sequence {
	const pack = buildPack(pieces, tokens, separator, 'isolated');
	const targets = new Int32Array(pack.inputIds.length).fill(IGNORED_TARGET);
	for (const [f, piece] of pieces.entries()) {
		const start = pack.pieceStarts[f]!;
		const end = pack.pieceStarts[f + 1]! - (isLast(piece) ? 1 : 2);
		for (let position = start; position < end; position++) targets[position] = pack.inputIds[position + 1]!;
	}
	return { pack, targets };
}
