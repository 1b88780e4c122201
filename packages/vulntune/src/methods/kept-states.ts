/** The pooled states of what a frozen base was run on before: they are the same whenever it is run on it again. */
export interface KeptStates {
	/** [H] of a function or window by its tokens, what stands before it included; undefined where the base was not run on it. */
	get(tokens: Int32Array): Float32Array | undefined;
	put(tokens: Int32Array, state: Float32Array): void;
}
