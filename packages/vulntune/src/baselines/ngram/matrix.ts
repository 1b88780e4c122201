/** Compressed sparse rows. */
export interface SparseMatrix {
	readonly rows: number;
	readonly columns: number;
	/** Row r holds the entries from starts[r] to starts[r + 1]. */
	readonly starts: Int32Array; // [rows + 1]
	readonly columnOf: Int32Array; // [entries]
	readonly values: Float32Array; // [entries]
}

/** Joins growing lists of entries without holding them as JavaScript arrays. */
export function sparseMatrix(
	columns: number,
	parts: readonly { columnOf: Int32Array; values: Float32Array }[],
): SparseMatrix {
	const starts = new Int32Array(parts.length + 1); // [rows + 1]
	for (const [row, part] of parts.entries()) starts[row + 1] = starts[row]! + part.values.length;
	const columnOf = new Int32Array(starts[parts.length]!); // [entries]
	const values = new Float32Array(starts[parts.length]!); // [entries]
	for (const [row, part] of parts.entries()) {
		columnOf.set(part.columnOf, starts[row]!);
		values.set(part.values, starts[row]!);
	}
	return { rows: parts.length, columns, starts, columnOf, values };
}
