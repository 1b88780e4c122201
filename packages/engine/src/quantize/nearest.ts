/**
 * Finds the code whose value lies nearest to a number. Sorted by value, codes meet at midpoints rounded to float32; a number on a
 * midpoint belongs to the lower value (bitsandbytes' rule).
 */
export interface NearestTable {
	/** By rank: the upper bound of the numbers that take this rank; the last is Infinity. */
	readonly midpoints: Float32Array;
	/** By rank: the code. Ranks and codes are the same where the codebook is ascending. */
	readonly codes: Uint8Array;
	/**
	 * [65536], by the upper 16 bits of a float32 (sign, exponent, 7 bits of mantissa): the lowest rank of a number with these bits.
	 * No more than one midpoint falls between two such numbers, so one comparison settles the rank.
	 */
	readonly firstRanks: Uint8Array;
}

const tables = new WeakMap<Float32Array, NearestTable>();

/** The table for a codebook of at most 256 values by code, made once. */
export function nearestTable(codebook: Float32Array): NearestTable {
	let table = tables.get(codebook);
	if (table === undefined) tables.set(codebook, (table = makeTable(codebook)));
	return table;
}

function makeTable(codebook: Float32Array): NearestTable {
	// Of FP4's two zeros, code 0 comes before code 8: bitsandbytes gives 8 to the smallest positive numbers.
	const codes = Uint8Array.from(codebook, (_, code) => code);
	codes.sort((a, b) => codebook[a]! - codebook[b]! || a - b);
	const midpoints = new Float32Array(codes.length).fill(Infinity);
	for (let rank = 0; rank + 1 < codes.length; rank++) {
		midpoints[rank] = Math.fround(codebook[codes[rank]!]! + codebook[codes[rank + 1]!]!) / 2;
	}
	const firstRanks = new Uint8Array(0x10000);
	const number = new Float32Array(1);
	const bits = new Uint32Array(number.buffer);
	for (let upper = 0; upper < firstRanks.length; upper++) {
		const isNegative = upper >= 0x8000;
		bits[0] = (upper << 16) | (isNegative ? 0xffff : 0);
		const first = rankOf(midpoints, number[0]!);
		bits[0] = (upper << 16) | (isNegative ? 0 : 0xffff);
		if (rankOf(midpoints, number[0]!) > first + 1)
			throw new RangeError('the codebook is too fine for its table');
		firstRanks[upper] = first;
	}
	return { midpoints, codes, firstRanks };
}

/** The number of midpoints below `value`, by halving. */
function rankOf(midpoints: Float32Array, value: number): number {
	let low = 0;
	let high = midpoints.length - 1;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (value > midpoints[middle]!) low = middle + 1;
		else high = middle;
	}
	return low;
}

/** The code nearest to `value`, a float32. */
export function nearestCode(table: NearestTable, value: number): number {
	return table.codes[rankOf(table.midpoints, value)]!;
}
