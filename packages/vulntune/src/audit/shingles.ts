/** Words of a shingle: sequences of five are long enough that few functions share one by chance. */
export const SHINGLE_WORDS = 5;

/**
 * The distinct sequences of five words of a text, each as a hash of 53 bits, in no order. A text of fewer words is one sequence;
 * one without words has none.
 */
export function shinglesOf(words: readonly string[]): Float64Array {
	const hashes = words.map(hashWord);
	const count = words.length === 0 ? 0 : Math.max(1, words.length - SHINGLE_WORDS + 1);
	const shingles = new Set<number>();
	for (let start = 0; start < count; start++) {
		let low = 0x811c9dc5;
		let high = 0x01234567;
		for (let i = start; i < Math.min(words.length, start + SHINGLE_WORDS); i++) {
			low = mix(low ^ hashes[i]!);
			high = mix(Math.imul(high, 31) + hashes[i]!);
		}
		shingles.add((low >>> 0) * 2 ** 21 + (high >>> 11));
	}
	return Float64Array.from(shingles);
}

/** FNV-1a over UTF-16 units. */
function hashWord(word: string): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
	return hash;
}

/** The finalizer of MurmurHash3: every bit of a hash depends on every bit of what it was. */
function mix(hash: number): number {
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return hash ^ (hash >>> 16);
}
