/** What belongs to a word, kept as the library asks for it. */
export interface WordCache<Value> {
	get(word: string): Value | undefined;
	put(word: string, value: Value): void;
	clear(): void;
}

const maxCachedWords = 100_000;
const maxCachedLength = 64;

/**
 * Forgets everything when it is full. The library's own cache keeps the order of use, which costs more than
 * it saves, and holds fewer words than a dataset has.
 */
export function createWordCache<Value>(): WordCache<Value> {
	const values = new Map<string, Value>();
	return {
		get: (word) => values.get(word),
		put(word, value) {
			if (word.length > maxCachedLength) return;
			if (values.size >= maxCachedWords) values.clear();
			values.set(word, value);
		},
		clear: () => values.clear(),
	};
}
