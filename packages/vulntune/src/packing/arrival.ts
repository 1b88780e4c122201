import { type Piece, pieceSize } from './options.ts';

/**
 * One pack open at a time, as in the paper's code: the pack is closed when the next piece does not fit, or when it holds
 * maxFunctions - 1 pieces. So a pack never holds `maxFunctions` pieces; that off-by-one is kept for reproduction.
 */
export function packArrival(pieces: readonly Piece[], length: number, maxFunctions: number): Piece[][] {
	const packs: Piece[][] = [];
	let open: Piece[] = [];
	let used = 0;
	for (const piece of pieces) {
		const size = pieceSize(piece);
		const isFull = used + size > length || open.length + 1 >= maxFunctions;
		if (isFull && open.length > 0) {
			packs.push(open);
			open = [];
			used = 0;
		}
		open.push(piece);
		used += size;
	}
	if (open.length > 0) packs.push(open);
	return packs;
}
