/** How functions become sequences; the `sequence` section of the config. */
export interface PackingOptions {
	/** Tokens that a function takes at most in a sequence, what is put around it included; at least 2. */
	readonly length: number;
	/** Tokens a sequence holds at most; default `length`. */
	readonly packLength?: number;
	/** `isolated`: a function attends to itself alone. `leaky`: to all before it in the pack. `none`: one function a pack. */
	readonly packing: 'isolated' | 'leaky' | 'none';
	/** `bestFit`: best-fit decreasing. `arrival`: one pack open at a time, in the order in which functions come. */
	readonly order: 'bestFit' | 'arrival';
	/** Functions a pack holds at most. With `arrival` one fewer, as in the paper's code. */
	readonly maxFunctions: number;
	/** What becomes of a function that does not fit a sequence: left out, cut to its head, or split into windows. */
	readonly largeFunctions: 'ignore' | 'truncate' | 'window';
	/** Tokens from the start of one window to the next; default (null) half a window. */
	readonly windowStride?: number | null;
	/** Tokens put before every function (`<s>` of an encoder); default none. */
	readonly leadingLength?: number;
	/** Tokens put after every function, before its separator: a question to the model; default none. */
	readonly suffixLength?: number;
	/**
	 * Functions that begin alike lie in one pack, in which their common beginning is computed once; default false. Such a pack
	 * may hold up to twice `length` tokens. Isolated packs of a causal model only.
	 */
	readonly sharePrefixes?: boolean;
	/** Whether a token sees only those before it, so that a beginning doesn't depend on what follows; default true. */
	readonly causal?: boolean;
}

/** What of a function lies in one pack: all of it, its head, or one of its windows. */
export interface Piece {
	/** Which function: its index in the list of lengths. */
	readonly functionIndex: number;
	/** Tokens [start, end) of the function, without the separator. */
	readonly start: number;
	readonly end: number;
	/** Which of the function's `windowCount` parts this is; 0 of 1 for a function in one part. */
	readonly windowIndex: number;
	readonly windowCount: number;
	/** Tokens that are put before it; default none. */
	readonly leadingLength?: number;
	/** Tokens of the suffix that follows it. */
	readonly suffixLength: number;
	/**
	 * Tokens that it begins with and that the pack has already, as the beginning of the nearest piece before it that shares
	 * none; default none.
	 */
	readonly shared?: number;
}

/** Tokens of a piece in a pack: its own, those put around it and the separator. */
export function pieceSize(piece: Piece): number {
	const around = (piece.leadingLength ?? 0) + piece.suffixLength + 1;
	return piece.end - piece.start - (piece.shared ?? 0) + around;
}

/** Tokens of pieces in a pack. */
export function packSize(pieces: readonly Piece[]): number {
	return pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
}

/**
 * What pieces that must lie in one pack may take together: twice the length of a sequence, which any two of them fit into, so that a
 * function and its fix always do.
 */
export function groupLimits({ order, maxFunctions, length }: PackingOptions): {
	readonly functions: number;
	readonly tokens: number;
} {
	// arrival packs hold one function fewer than maxFunctions
	return { functions: Math.max(1, maxFunctions - (order === 'arrival' ? 1 : 0)), tokens: 2 * length };
}
