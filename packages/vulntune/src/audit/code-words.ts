/** Names, numbers, and every other character by itself: what a text is when white space doesn't count. */
const word = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*|\S/g;

/** The words of source text in any language. Two texts with equal words are copies of each other. */
export function codeWords(text: string): string[] {
	return text.match(word) ?? [];
}
