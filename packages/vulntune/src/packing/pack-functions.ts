import { packArrival } from './arrival.ts';
import { packBestFit } from './best-fit.ts';
import { groupByPrefix } from './common-prefixes.ts';
import { joinPairs } from './join-pairs.ts';
import { type PackingOptions, type Piece, packSize } from './options.ts';
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
	/** Tokens that functions have in common with another one of their pack, which are in `tokens` once. */
	readonly sharedTokens: number;
	/** Tokens of the fullest pack. */
	readonly largestPack: number;
	/** Mean of tokens / length over the sequences: 1 where all are full, and for no packs. One above `length` counts as full. */
	readonly efficiency: number;
}

/** What functions are besides their lengths. */
export interface PackedFunctions {
	/** The order in which functions come, default by index. `bestFit` gives the same packs for every order. */
	readonly order?: Iterable<number>;
	/** Ids per function, [functions] of [tokens]: needed where prefixes are shared. */
	readonly tokens?: readonly ArrayLike<number>[];
	/** Functions that are to lie in one pack, two of them together; default none. */
	readonly together?: readonly (readonly [number, number])[] | undefined;
}

/**
 * Packs functions into sequences.
 *
 * @param lengths tokens per function, without the separator; a pack takes one more for each
 */
export function packFunctions(
	lengths: ArrayLike<number>,
	options: PackingOptions,
	{ order = Array.from(lengths, (_, index) => index), tokens, together = [] }: PackedFunctions = {},
): PackPlan {
	const ignored: number[] = [];
	const truncated: number[] = [];
	const pieces: Piece[] = [];
	for (const index of order) {
		const parts = cutFunction(index, lengths[index]!, options);
		if (parts.length === 0) ignored.push(index);
		if (parts.length === 1 && parts[0]!.end < lengths[index]!) truncated.push(index);
		pieces.push(...parts);
	}
	const packs = arrange(pieces, options, tokens, together);
	const sizes = packs.map(packSize);
	const total = sizes.reduce((sum, size) => sum + size, 0);
	const { packLength = options.length } = options;
	const filled = sizes.reduce((sum, size) => sum + Math.min(1, size / packLength), 0);
	return {
		packs,
		ignored,
		truncated,
		tokens: total,
		sharedTokens: packSize(pieces) - total,
		largestPack: sizes.reduce((largest, size) => Math.max(largest, size), 0),
		efficiency: packs.length === 0 ? 1 : filled / packs.length,
	};
}

function arrange(
	pieces: readonly Piece[],
	options: PackingOptions,
	tokens: PackedFunctions['tokens'],
	together: NonNullable<PackedFunctions['together']>,
): Piece[][] {
	if (options.packing === 'none') return pieces.map((piece) => [piece]);
	const pack = options.order === 'bestFit' ? packBestFit : packArrival;
	const groups = joinPairs(groupsOf(pieces, options, tokens), together, options);
	return pack(groups, options.packLength ?? options.length, options.maxFunctions);
}

/** Pieces that must lie in one pack. */
function groupsOf(
	pieces: readonly Piece[],
	options: PackingOptions,
	tokens: PackedFunctions['tokens'],
): Piece[][] {
	const shares = options.sharePrefixes === true && options.packing === 'isolated' && options.causal !== false;
	if (!shares) return pieces.map((piece) => [piece]);
	if (tokens === undefined) throw new TypeError('prefixes can be shared only where the tokens are given');
	return groupByPrefix(pieces, tokens, options);
}
