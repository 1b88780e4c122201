/** What tells which vulnerable function a fixed one was. */
export interface PairableRow {
	readonly label: 0 | 1;
	/** The fix commit. */
	readonly group?: string | undefined;
	readonly functionName?: string | undefined;
}

/**
 * Pairs of a vulnerable function and its fix: rows of one commit with one function name, where there is exactly one
 * of each label. Overloads that cannot be told apart are left out rather than guessed.
 * @returns row numbers [vulnerable, fixed], by the vulnerable row
 */
export function pairRows(rows: readonly PairableRow[]): [vulnerable: number, fixed: number][] {
	const found = new Map<string, { vulnerable: number[]; fixed: number[] }>();
	for (const [index, { group, functionName, label }] of rows.entries()) {
		if (group === undefined || functionName === undefined) continue;
		const key = JSON.stringify([group, functionName]);
		const members = found.get(key) ?? { vulnerable: [], fixed: [] };
		found.set(key, members);
		(label === 1 ? members.vulnerable : members.fixed).push(index);
	}
	return [...found.values()]
		.filter(({ vulnerable, fixed }) => vulnerable.length === 1 && fixed.length === 1)
		.map(({ vulnerable, fixed }): [number, number] => [vulnerable[0]!, fixed[0]!])
		.sort((a, b) => a[0] - b[0]);
}
