/**
 * p values corrected for their number by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979): the chance of a single
 * false finding among all of them stays below the level that each is compared with.
 *
 * @param values [tests] null where a test is undefined: it counts as none
 * @returns [tests]
 */
export function holm(values: readonly (number | null)[]): (number | null)[] {
	const order = values
		.flatMap((p, index) => (p === null ? [] : [{ p, index }]))
		.toSorted((a, b) => a.p - b.p);
	const corrected: (number | null)[] = values.map(() => null);
	let largest = 0;
	for (const [rank, { p, index }] of order.entries()) {
		largest = Math.max(largest, Math.min(1, (order.length - rank) * p));
		corrected[index] = largest;
	}
	return corrected;
}
