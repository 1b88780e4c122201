/**
 * Where merges may not cross, as `tokenizer.json` will say: first every digit becomes a piece of its own (as in
 * StarCoder's tokenizer), then GPT-2's rule divides what lies between: contractions, a word with the space
 * before it, a run of signs with the space before it, white space.
 */
const betweenDigits = /\d|\D+/g;
const gpt2Rule = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The pieces of a text, in order; joined they are the text again. */
export function preTokenize(text: string): string[] {
	const pieces: string[] = [];
	for (const [part] of text.matchAll(betweenDigits)) {
		for (const [piece] of part.matchAll(gpt2Rule)) pieces.push(piece);
	}
	return pieces;
}
