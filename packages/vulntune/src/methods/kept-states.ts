/** What a frozen base made of functions: it is the same whenever it is run on them again. States are the bytes of activations. */
export interface KeptStates {
	/** Of a function or window by its tokens, what stands before it included; undefined where the base was not run on it. */
	get(tokens: Int32Array): Uint8Array | undefined;
	put(tokens: Int32Array, state: Uint8Array): void;
}

/** The states [T, H] of each function that enter a block below which nothing is trained. */
export interface LowerStates {
	/** Counted from 0. */
	readonly block: number;
	readonly states: KeptStates;
}
