import type { LocatedTokens } from './token-lines.ts';

/** A line of a function with what it has to do with the function's score. */
export interface LineScore {
	/** From 1. */
	readonly number: number;
	readonly text: string;
	/** Sum of its tokens' scores; null where the function was cut before it. */
	readonly score: number | null;
	readonly tokens: number;
}

/** @param scores [tokens], NaN for tokens that were not read */
export function scoreLines({ lineOf, lines }: LocatedTokens, scores: Float64Array): LineScore[] {
	const sums = new Float64Array(lines.length);
	const counts = new Int32Array(lines.length);
	const unread = new Int32Array(lines.length);
	for (const [token, line] of lineOf.entries()) {
		const score = scores[token]!;
		counts[line]! += 1;
		if (Number.isNaN(score)) unread[line]! += 1;
		else sums[line]! += score;
	}
	return lines.map((text, line) => {
		const isUnread = counts[line]! > 0 && unread[line] === counts[line];
		return { number: line + 1, text, score: isUnread ? null : sums[line]!, tokens: counts[line]! };
	});
}
