import { type Piece, packSize } from './options.ts';

/**
 * Best-fit decreasing: longest groups first, each into the fullest pack that still has room; one that is longer than a pack
 * gets its own. Equal lengths go by function, then window, so the result depends on the lengths alone.
 *
 * @param groups pieces that stay together; mostly one each
 */
export function packBestFit(
	groups: readonly (readonly Piece[])[],
	length: number,
	maxFunctions: number,
): Piece[][] {
	const sorted = groups
		.map((pieces) => ({ pieces, size: packSize(pieces), first: pieces[0]! }))
		.sort(
			(a, b) =>
				b.size - a.size ||
				a.first.functionIndex - b.first.functionIndex ||
				a.first.windowIndex - b.first.windowIndex,
		);
	const packs: Piece[][] = [];
	/** packsWithRoom[r]: packs with exactly r free tokens that take more functions. */
	const packsWithRoom: Piece[][][] = Array.from({ length: length + 1 }, () => []);
	for (const { pieces, size } of sorted) {
		let room = size;
		let place = -1;
		for (; room <= length; room++) {
			place = packsWithRoom[room]!.findLastIndex((pack) => pack.length + pieces.length <= maxFunctions);
			if (place >= 0) break;
		}
		let pack: Piece[];
		if (place >= 0) {
			pack = packsWithRoom[room]!.splice(place, 1)[0]!;
		} else {
			packs.push((pack = []));
			room = length;
		}
		pack.push(...pieces);
		if (pack.length < maxFunctions && size <= room) packsWithRoom[room - size]!.push(pack);
	}
	return packs;
}
