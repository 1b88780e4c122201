/** How long the functions of a split are, in tokens without the separator. */
export interface TokenStatistics {
	readonly functions: number;
	readonly tokens: number;
	readonly min: number;
	readonly median: number;
	readonly mean: number;
	/** Nine in ten functions are at most this long. */
	readonly p90: number;
	readonly max: number;
	/** Functions that do not fit a sequence of `sequenceLength` together with their separator, and their share. */
	readonly longer: number;
	readonly longerShare: number;
}

/**
 * @param lengths tokens per function
 * @param sequenceLength tokens a sequence holds
 * @returns all zeros for no functions
 */
export function tokenStatistics(lengths: ArrayLike<number>, sequenceLength: number): TokenStatistics {
	const sorted = Float64Array.from(lengths).sort();
	const functions = sorted.length;
	if (functions === 0) {
		return { functions, tokens: 0, min: 0, median: 0, mean: 0, p90: 0, max: 0, longer: 0, longerShare: 0 };
	}
	const tokens = sorted.reduce((sum, length) => sum + length, 0);
	const longer = sorted.filter((length) => length + 1 > sequenceLength).length;
	const middle = functions >> 1;
	return {
		functions,
		tokens,
		min: sorted[0]!,
		median: functions % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2,
		mean: tokens / functions,
		p90: sorted[Math.ceil(0.9 * functions) - 1]!,
		max: sorted[functions - 1]!,
		longer,
		longerShare: longer / functions,
	};
}
