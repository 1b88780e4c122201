import { type Piece, pieceSize } from './options.ts';

/**
 * Best-fit decreasing: longest pieces first, each into the fullest pack that still has room. Equal lengths go by function,
 * then window, so the result depends on the lengths alone.
 */
export function packBestFit(pieces: readonly Piece[], length: number, maxFunctions: number): Piece[][] {
	const sorted = pieces.toSorted(
		(a, b) =>
			pieceSize(b) - pieceSize(a) || a.functionIndex - b.functionIndex || a.windowIndex - b.windowIndex,
	);
	const packs: Piece[][] = [];
	/** packsWithRoom[r]: packs with exactly r free tokens that take more functions. */
	const packsWithRoom: Piece[][][] = Array.from({ length: length + 1 }, () => []);
	for (const piece of sorted) {
		const size = pieceSize(piece);
		let room = size;
		while (room <= length && packsWithRoom[room]!.length === 0) room += 1;
		let pack = packsWithRoom[room]?.pop();
		if (pack === undefined) {
			packs.push((pack = []));
			room = length;
		}
		pack.push(piece);
		if (pack.length < maxFunctions) packsWithRoom[room - size]!.push(pack);
	}
	return packs;
}
