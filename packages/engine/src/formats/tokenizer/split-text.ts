/** Part of a text, and whether a pattern matches it. */
export interface Part {
	readonly text: string;
	readonly isMatch: boolean;
}

/** What becomes of the parts that match: `SplitDelimiterBehavior` of the reference implementation. */
export const splitBehaviors = [
	'Removed',
	'Isolated',
	'MergedWithPrevious',
	'MergedWithNext',
	'Contiguous',
] as const;
export type SplitBehavior = (typeof splitBehaviors)[number];

/** A text as the parts that an expression (with the flag g) matches and those between; a match of nothing throws. */
export function partsOf(text: string, expression: RegExp): Part[] {
	const parts: Part[] = [];
	let end = 0;
	for (const { 0: match, index } of text.matchAll(expression)) {
		if (match === '')
			throw new RangeError(`the pattern ${expression.source.slice(0, 80)} matches an empty text`);
		if (index > end) parts.push({ text: text.slice(end, index), isMatch: false });
		parts.push({ text: match, isMatch: true });
		end = index + match.length;
	}
	if (end < text.length) parts.push({ text: text.slice(end), isMatch: false });
	return parts;
}

/** The words that parts become. */
export function splitParts(parts: readonly Part[], behavior: SplitBehavior): string[] {
	switch (behavior) {
		case 'Removed':
			return parts.filter(({ isMatch }) => !isMatch).map(({ text }) => text);
		case 'Isolated':
			return parts.map(({ text }) => text);
		case 'Contiguous':
			return joinWhere(parts, (part, previous) => part.isMatch === previous.isMatch);
		case 'MergedWithPrevious':
			return joinWhere(parts, (part, previous) => part.isMatch && !previous.isMatch);
		case 'MergedWithNext': {
			// The mirror image of the case before: a match joins what follows, of two matches the second does.
			const backwards = joinWhere(
				parts.toReversed(),
				(part, previous) => part.isMatch && !previous.isMatch,
				true,
			);
			return backwards.reverse();
		}
	}
}

/** Joins each part to the one before it where `joins` says so of the two. */
function joinWhere(
	parts: readonly Part[],
	joins: (part: Part, previous: Part) => boolean,
	isBackwards = false,
): string[] {
	const words: string[] = [];
	parts.forEach((part, index) => {
		const previous = parts[index - 1];
		if (previous === undefined || !joins(part, previous)) words.push(part.text);
		else words.push(isBackwards ? part.text + words.pop() : words.pop() + part.text);
	});
	return words;
}
