import { collapseWhitespace } from '../data/whitespace.ts';

/** A function in tokens, with the line that each of them stands in. */
export interface LocatedTokens {
	readonly ids: Int32Array; // [tokens]
	/** Index of the line of each token, from 0. */
	readonly lineOf: Int32Array; // [tokens]
	/** The function's lines as they are in the file. */
	readonly lines: readonly string[];
}

/** The lines of a text, whatever ends them. */
export function linesOf(code: string): string[] {
	return code.split(/\r\n|\r|\n/);
}

/**
 * Finds the line of each token. Tokenizers don't say where in a text their tokens lie: the tokens of the text up to the end of a
 * line are those of its lines, as far as the whole text begins with them. One that spans a line's end counts to the line after it.
 */
export function locateTokens(
	code: string,
	tokenizer: { encode(text: string): ArrayLike<number> },
	isCollapsed: boolean,
): LocatedTokens {
	const read = (text: string) =>
		Int32Array.from(tokenizer.encode(isCollapsed ? collapseWhitespace(text) : text));
	const ids = read(code); // [tokens]
	const lines = linesOf(code);
	const lineOf = new Int32Array(ids.length).fill(lines.length - 1); // [tokens]
	let [done, text] = [0, ''];
	for (const [line, content] of lines.entries()) {
		if (line === lines.length - 1) break;
		// the ends of lines as they are matter where white space isn't collapsed
		text = code.slice(0, text.length + content.length);
		const before = read(text);
		let end = done;
		while (end < before.length && before[end] === ids[end]) end++;
		lineOf.fill(line, done, end);
		done = end;
		text = code.slice(0, text.length + (code.startsWith('\r\n', text.length) ? 2 : 1));
	}
	return { ids, lineOf, lines };
}
