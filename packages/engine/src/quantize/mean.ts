const lanes = 8;
const columns = 4 * lanes;
const levels = 4;

/**
 * The mean of float32 numbers with every addition rounded to float32, in the order of PyTorch's `mean` on one thread (eight
 * lanes, four accumulators, partial sums of sixteen rows in a cascade of four levels). The mean of the absmax is the offset of
 * double quantisation: a difference in its last bit would move codes that lie near a tie away from bitsandbytes'.
 */
export function meanFloat32(values: Float32Array): number {
	const wholeLanes = Math.floor(values.length / lanes);
	const wholeRows = Math.floor(values.length / columns);
	const sums = new Float32Array(columns);
	for (let column = 0; column < columns; column++) sums[column] = cascadeSum(values, column, wholeRows);
	for (let vector = wholeRows * 4; vector < wholeLanes; vector++) {
		for (let lane = 0; lane < lanes; lane++) sums[lane]! += values[vector * lanes + lane]!;
	}
	for (let column = lanes; column < columns; column++) sums[column % lanes]! += sums[column]!;
	const total = new Float32Array(1);
	for (let index = wholeLanes * lanes; index < values.length; index++) total[0]! += values[index]!;
	for (let lane = 0; lane < lanes; lane++) total[0]! += sums[lane]!;
	return Math.fround(total[0]! / values.length);
}

/** The sum of one column of `rows` rows of 32: partial sums move up a level whenever a level has taken its share. */
function cascadeSum(values: Float32Array, column: number, rows: number): number {
	if (rows === 0) return 0;
	const levelBits = Math.max(4, (32 - Math.clz32(rows - 1)) >> 2);
	const levelMask = (1 << levelBits) - 1;
	const partial = new Float32Array(levels);
	for (let row = 0; row < rows; row++) {
		partial[0]! += values[row * columns + column]!;
		const done = row + 1;
		if ((done & levelMask) !== 0) continue;
		for (let level = 1; level < levels; level++) {
			partial[level]! += partial[level - 1]!;
			partial[level - 1] = 0;
			if ((done & (levelMask << (level * levelBits))) !== 0) break;
		}
	}
	for (let level = 1; level < levels; level++) partial[0]! += partial[level]!;
	return partial[0]!;
}
