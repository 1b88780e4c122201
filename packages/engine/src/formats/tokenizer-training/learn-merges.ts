import { createPairQueue } from './pair-queue.ts';

/** Two tokens that become one, in order of learning. */
export interface Merge {
	readonly left: number;
	readonly right: number;
}

/** A piece of text as token ids, and how often it occurs. */
export interface CountedWord {
	ids: number[];
	readonly count: number;
}

/** Room for ids in a pair's key, left * 2^24 + right. */
const keyBase = 2 ** 24;

/**
 * Byte-pair encoding (Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword
 * units", 2016): again and again the most frequent pair of neighbours becomes a new token. Pair counts are kept
 * up to date from the words that a merge changes, so the cost is that of the changes and not of the text.
 *
 * @param words changed in place: afterwards `ids` are the merged tokens
 * @param firstId id of the first merged token; those after it count up
 * @param limit at most so many merges
 * @param minCount pairs that occur less often are not merged
 */
export function learnMerges(
	words: readonly CountedWord[],
	firstId: number,
	limit: number,
	minCount: number,
): Merge[] {
	const counts = new Map<number, number>();
	const places = new Map<number, Set<number>>(); // pair → words that may hold it
	const queue = createPairQueue();
	const touched = new Set<number>();

	function add(left: number, right: number, amount: number, word: number): void {
		const key = left * keyBase + right;
		counts.set(key, (counts.get(key) ?? 0) + amount);
		touched.add(key);
		if (amount < 0) return;
		const holders = places.get(key);
		if (holders === undefined) places.set(key, new Set([word]));
		else holders.add(word);
	}

	function queueTouched(): void {
		for (const key of touched) {
			const count = counts.get(key)!;
			if (count >= minCount) queue.push({ count, left: Math.floor(key / keyBase), right: key % keyBase });
		}
		touched.clear();
	}

	for (const [index, { ids, count }] of words.entries()) {
		for (let at = 0; at + 1 < ids.length; at++) add(ids[at]!, ids[at + 1]!, count, index);
	}
	queueTouched();

	const merges: Merge[] = [];
	while (merges.length < limit) {
		const best = queue.pop();
		if (best === undefined) break;
		const key = best.left * keyBase + best.right;
		if (counts.get(key) !== best.count) continue; // queued again since, with its new count
		const id = firstId + merges.length;
		merges.push({ left: best.left, right: best.right });
		for (const index of places.get(key)!) {
			const word = words[index]!;
			const merged = mergeIn(word.ids, best.left, best.right, id);
			if (merged.length === word.ids.length) continue;
			for (let at = 0; at + 1 < word.ids.length; at++)
				add(word.ids[at]!, word.ids[at + 1]!, -word.count, index);
			for (let at = 0; at + 1 < merged.length; at++) add(merged[at]!, merged[at + 1]!, word.count, index);
			word.ids = merged;
		}
		places.delete(key);
		counts.delete(key);
		touched.delete(key);
		queueTouched();
	}
	return merges;
}

/** The ids with every pair (left, right) replaced by `id`, from the left. */
function mergeIn(ids: readonly number[], left: number, right: number, id: number): number[] {
	const merged: number[] = [];
	for (let at = 0; at < ids.length; at++) {
		if (ids[at] === left && ids[at + 1] === right) {
			merged.push(id);
			at++;
		} else {
			merged.push(ids[at]!);
		}
	}
	return merged;
}
