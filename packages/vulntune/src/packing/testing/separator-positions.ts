/**
 * Where the paper's code pools: every flat position i - 1 where token i is the separator and token i - 1 is not, i > 0,
 * over the rows of a batch laid end to end. It reads tokens, not functions, so a separator inside a function counts too; our own
 * packs carry `poolPositions` instead.
 *
 * @param rows ids per sequence, [rows] of [tokens]
 */
export function separatorPositions(rows: readonly ArrayLike<number>[], separator: number): number[] {
	const positions: number[] = [];
	let flat = 0;
	let previous = separator;
	for (const row of rows) {
		for (let column = 0; column < row.length; column++, flat++) {
			const token = row[column]!;
			if (token === separator && previous !== separator) positions.push(flat - 1);
			previous = token;
		}
	}
	return positions;
}
