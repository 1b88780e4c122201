import type { Normalizer } from './normalizers.ts';

/** A token that is looked for in a text before anything is split or merged. */
export interface AddedToken {
	readonly id: number;
	readonly content: string;
	readonly special: boolean;
	/** Looked for after the text has been normalised, in its own normalised form. */
	readonly normalized: boolean;
	/** Takes the white space before it, and after it. */
	readonly lstrip: boolean;
	readonly rstrip: boolean;
	/** Only where no word goes on before or after it. */
	readonly singleWord: boolean;
}

/** Part of a text: an added token, or normalised text, which begins the whole text or doesn't. */
export type Piece = { readonly id: number } | { readonly text: string; readonly isFirst: boolean };

const endsWithWord = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const beginsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/**
 * Takes a text apart at added tokens and normalises the rest, as the reference implementation does: first those that are
 * looked for in the text as it is, then, piece by piece, those that are looked for in the normalised one. Special tokens that
 * are read as text are found nonetheless: what lies within one is no other token.
 */
export function createAddedTokenSplitter(
	tokens: readonly AddedToken[],
	normalize: Normalizer,
	specialsAsText: boolean,
): (text: string) => Piece[] {
	const finder = (isNormalized: boolean, spell: Normalizer) =>
		createFinder(
			tokens
				.filter(({ normalized }) => normalized === isNormalized)
				.map((token) => [spell(token.content), token]),
			specialsAsText,
		);
	const findRaw = finder(false, (content) => content);
	const findNormalized = finder(true, normalize);
	return (text) =>
		findRaw(text, true).flatMap((piece) =>
			'id' in piece ? [piece] : findNormalized(normalize(piece.text), piece.isFirst),
		);
}

/** Finds the leftmost token, of those that begin there the longest. */
function createFinder(
	tokens: readonly (readonly [spelling: string, token: AddedToken])[],
	specialsAsText: boolean,
): (text: string, isFirst: boolean) => Piece[] {
	const whole = (text: string, isFirst: boolean) => (text === '' ? [] : [{ text, isFirst }]);
	if (tokens.every(([, { special }]) => special && specialsAsText)) return whole;
	const tokenOf = new Map<string, AddedToken>();
	for (const [spelling, token] of tokens) {
		const other = spelling === '' ? 'nothing' : tokenOf.get(spelling)?.content;
		if (other !== undefined)
			throw new RangeError(`the added token ${token.content} is normalised to ${other}`);
		tokenOf.set(spelling, token);
	}
	const longestFirst = [...tokenOf.keys()].sort((a, b) => b.length - a.length);
	const expression = new RegExp(
		longestFirst.map((spelling) => spelling.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'),
		'gu',
	);
	return (text, isFirst) => {
		const pieces: Piece[] = [];
		let end = 0;
		const pushText = (to: number) => {
			if (to > end) pieces.push({ text: text.slice(end, to), isFirst: isFirst && end === 0 });
		};
		for (const { 0: spelling, index } of text.matchAll(expression)) {
			const token = tokenOf.get(spelling)!;
			const before = text.slice(0, index);
			const after = text.slice(index + spelling.length);
			if (index < end || (specialsAsText && token.special)) continue; // taken by the rstrip before, or text
			if (token.singleWord && (endsWithWord.test(before) || beginsWithWord.test(after))) continue;
			const spaceBefore = token.lstrip ? before.length - trimEnd(before).length : 0;
			pushText(Math.max(index - spaceBefore, end));
			pieces.push({ id: token.id });
			const spaceAfter = token.rstrip ? /^\p{White_Space}*/u.exec(after)![0].length : 0;
			end = index + spelling.length + spaceAfter;
		}
		pushText(text.length);
		return pieces;
	};
}

function trimEnd(text: string): string {
	return text.replace(/\p{White_Space}+$/u, '');
}
