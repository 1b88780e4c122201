/**
 * The merges of a SentencePiece BPE model, which has scores instead: each way to put a piece together from two others, the piece of the
 * higher score first. As transformers' converter lists them (`generate_merges`), ties included.
 *
 * @param scoreOf the pieces that merging may make, with their scores
 * @param tokens all that a merge may put together
 */
export function mergesOf(
	scoreOf: ReadonlyMap<string, number>,
	tokens: ReadonlySet<string>,
): readonly (readonly [string, string])[] {
	const merges: Merge[] = [];
	for (const [piece, score] of scoreOf) {
		const characters = Array.from(piece);
		for (let cut = 1; cut < characters.length; cut++) {
			const left = characters.slice(0, cut).join('');
			const right = characters.slice(cut).join('');
			if (!tokens.has(left) || !tokens.has(right)) continue;
			merges.push({ left, right, score, leftLength: cut, rightLength: characters.length - cut });
		}
	}
	merges.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength);
	return merges.map(({ left, right }) => [left, right]);
}

interface Merge {
	readonly left: string;
	readonly right: string;
	readonly score: number;
	/** In characters. */
	readonly leftLength: number;
	readonly rightLength: number;
}
