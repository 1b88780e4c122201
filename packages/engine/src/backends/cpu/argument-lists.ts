/** The arguments before the last ones, for kernels that are given alike arguments from one place. */
export type Before<List extends unknown[], Last extends unknown[]> = List extends [...infer First, ...Last]
	? First
	: never;

/** The arguments after the first ones. */
export type After<List extends unknown[], First extends unknown[]> = List extends [...First, ...infer Last]
	? Last
	: never;
