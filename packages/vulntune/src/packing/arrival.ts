import { type Piece, packSize } from './options.ts';

/**
 * One pack open at a time, as in the paper's code: the pack is closed when the next group does not fit, or when it would hold
 * `maxFunctions` pieces. So a pack never holds that many; the off-by-one is kept for reproduction.
 *
 * @param groups pieces that stay together, in the order in which they come; mostly one each
 */
export function packArrival(
	groups: readonly (readonly Piece[])[],
	length: number,
	maxFunctions: number,
): Piece[][] {
	const packs: Piece[][] = [];
	let open: Piece[] = [];
	let used = 0;
	for (const group of groups) {
		const size = packSize(group);
		const isFull = used + size > length || open.length + group.length >= maxFunctions;
		if (isFull && open.length > 0) {
			packs.push(open);
			open = [];
			used = 0;
		}
		open.push(...group);
		used += size;
	}
	if (open.length > 0) packs.push(open);
	return packs;
}
