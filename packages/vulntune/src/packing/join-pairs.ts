import { groupLimits, type PackingOptions, type Piece, packSize } from './options.ts';

/**
 * Joins the groups of pieces in which the two functions of a pair lie, so that both come into one pack: where that takes no more room and
 * no more functions than a group may have. Pairs of which a function is left out, and those that are too long together, stay apart.
 *
 * @param groups pieces that must lie in one pack, in the order in which they come
 */
export function joinPairs(
	groups: readonly Piece[][],
	pairs: readonly (readonly [number, number])[],
	options: PackingOptions,
): Piece[][] {
	if (pairs.length === 0) return [...groups];
	const limits = groupLimits(options);
	const joined: (Piece[] | undefined)[] = [...groups];
	const groupOf = new Map<number, number>();
	for (const [index, group] of groups.entries()) {
		for (const { functionIndex } of group) groupOf.set(functionIndex, index);
	}
	for (const [a, b] of pairs) {
		const [x, y] = [groupOf.get(a), groupOf.get(b)];
		if (x === undefined || y === undefined || x === y) continue;
		const [first, second] = [Math.min(x, y), Math.max(x, y)];
		// what the second group shares lies in the piece that it begins with
		const together = [...joined[first]!, ...joined[second]!];
		if (together.length > limits.functions || packSize(together) > limits.tokens) continue;
		joined[first] = together;
		joined[second] = undefined;
		for (const { functionIndex } of together) groupOf.set(functionIndex, first);
	}
	return joined.filter((group) => group !== undefined);
}
