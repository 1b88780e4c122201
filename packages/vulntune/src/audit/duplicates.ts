import { codeWords } from './code-words.ts';
import { shinglesOf } from './shingles.ts';
import { type SimilarPair, similarPairs } from './similar-sets.ts';

/** From this Jaccard similarity of their sequences of five words on, two functions are near-duplicates. */
export const NEAR = 0.9;
/** From this one on they are similar: a function and its fix mostly are. */
export const SIMILAR = 0.5;

/** Which functions are copies of each other, and which are alike. */
export interface Duplicates {
	/** [functions] the number of each one's text; copies, white space aside, have the same. */
	readonly textOf: Int32Array;
	/** [texts] the functions with each text. */
	readonly functionsOf: readonly (readonly number[])[];
	/** Pairs of texts with a similarity of at least {@link SIMILAR}. */
	readonly pairs: readonly SimilarPair[];
}

/** @param codes source text of each function */
export function findDuplicates(codes: readonly string[]): Duplicates {
	const numberOf = new Map<string, number>();
	const functionsOf: number[][] = [];
	const shingles: Float64Array[] = [];
	const textOf = Int32Array.from(codes, (code, index) => {
		const words = codeWords(code);
		const key = words.join('\0');
		const number = numberOf.get(key) ?? numberOf.size;
		if (number === numberOf.size) {
			numberOf.set(key, number);
			functionsOf.push([]);
			shingles.push(shinglesOf(words));
		}
		functionsOf[number]!.push(index);
		return number;
	}); // [functions]
	return { textOf, functionsOf, pairs: similarPairs(shingles, SIMILAR) };
}
