import { packArrival } from './arrival.ts';
import { packBestFit } from './best-fit.ts';
import { type PackingOptions, type Piece, pieceSize } from './options.ts';
import { cutFunction } from './pieces.ts';

/** Which functions share which sequence. Every function is in `packs` or in `ignored`, never in both. */
export interface PackPlan {
	/** Each pack's pieces in their order in the sequence. */
	readonly packs: readonly (readonly Piece[])[];
	/** Functions left out because they are too long (`largeFunctions: ignore`), in the order they came. */
	readonly ignored: readonly number[];
	/** Functions of which only the head is packed. */
	readonly truncated: readonly number[];
	/** Tokens in all packs, separators included. */
	readonly tokens: number;
	/** tokens / (packs x length): 1 where every sequence is full, and for no packs. */
	readonly efficiency: number;
}

/**
 * Packs functions into sequences.
 *
 * @param lengths tokens per function, without the separator; a pack takes one more for each
 * @param arrivalOrder the order in which functions come, default by index. `bestFit` gives the same packs for every order
 */
export function packFunctions(
	lengths: ArrayLike<number>,
	options: PackingOptions,
	arrivalOrder: Iterable<number> = Array.from(lengths, (_, index) => index),
): PackPlan {
	const ignored: number[] = [];
	const truncated: number[] = [];
	const pieces: Piece[] = [];
	for (const index of arrivalOrder) {
		const parts = cutFunction(index, lengths[index]!, options);
		if (parts.length === 0) ignored.push(index);
		if (parts.length === 1 && parts[0]!.end < lengths[index]!) truncated.push(index);
		pieces.push(...parts);
	}
	const packs = arrange(pieces, options);
	const tokens = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
	const efficiency = packs.length === 0 ? 1 : tokens / (packs.length * options.length);
	return { packs, ignored, truncated, tokens, efficiency };
}

function arrange(pieces: readonly Piece[], options: PackingOptions): Piece[][] {
	if (options.packing === 'none') return pieces.map((piece) => [piece]);
	const pack = options.order === 'bestFit' ? packBestFit : packArrival;
	return pack(pieces, options.length, options.maxFunctions);
}
