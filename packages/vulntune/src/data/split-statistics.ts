import { type TokenStatistics, tokenStatistics } from './statistics.ts';

/** What a split holds: an entry of a run's data.json. */
export interface SplitStatistics {
	readonly functions: number;
	readonly vulnerable: number;
	/** How long the functions are; null where nothing counts tokens, as for n-grams. */
	readonly tokens: TokenStatistics | null;
}

/**
 * @param lengths tokens per row; undefined where there is no tokenizer
 * @param sequenceLength tokens that a sequence holds
 */
export function splitStatistics(
	rows: readonly { readonly label: 0 | 1 }[],
	lengths: ArrayLike<number> | undefined,
	sequenceLength: number,
): SplitStatistics {
	return {
		functions: rows.length,
		vulnerable: rows.filter(({ label }) => label === 1).length,
		tokens: lengths === undefined ? null : tokenStatistics(lengths, sequenceLength),
	};
}
