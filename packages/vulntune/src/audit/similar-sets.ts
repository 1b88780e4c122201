/** Two sets and their Jaccard similarity: the share of what is in either that is in both. */
export interface SimilarPair {
	readonly a: number;
	/** Greater than `a`. */
	readonly b: number;
	readonly similarity: number;
}

/**
 * All pairs of sets with a Jaccard similarity of at least `threshold`, by `a`, then `b`. None is missed: where two sets are that
 * similar, the rarest elements of both have one in common (the prefix filter of Chaudhuri, Ganti and Kaushik, ICDE 2006), so only sets that
 * meet there are compared. MinHash would look at fewer and miss some.
 *
 * @param sets distinct elements each; an empty one is similar to none
 * @param threshold above 0, at most 1
 */
export function similarPairs(sets: readonly Float64Array[], threshold: number): SimilarPair[] {
	const ranked = rankElements(sets);
	const order = sets.map((_, index) => index).sort((x, y) => sets[x]!.length - sets[y]!.length || x - y);
	const indexed = new Map<number, Posting>();
	const pairs: SimilarPair[] = [];
	const seen = new Int32Array(sets.length).fill(-1); // [sets], the last set that each was compared with
	for (const x of order) {
		const size = sets[x]!.length;
		const elements = ranked[x]!;
		const alone = size - elements.length;
		// one more than may be missing: of these at least one is in every similar set that is no larger
		const prefix = size - Math.ceil(threshold * size - 1e-9) + 1 - alone;
		for (const element of elements.subarray(0, Math.max(0, prefix))) {
			const posting = indexed.get(element) ?? { sets: [], start: 0 };
			indexed.set(element, posting);
			// sets come by size: those that are too small now stay so
			while (posting.start < posting.sets.length && tooSmall(posting.sets[posting.start]!, size))
				posting.start++;
			for (let place = posting.start; place < posting.sets.length; place++) {
				const y = posting.sets[place]!;
				if (seen[y] === x) continue;
				seen[y] = x;
				const similarity = jaccard(x, y);
				if (similarity >= threshold) pairs.push({ a: Math.min(x, y), b: Math.max(x, y), similarity });
			}
			posting.sets.push(x);
		}
	}
	return pairs.sort((p, q) => p.a - q.a || p.b - q.b);

	function tooSmall(y: number, size: number): boolean {
		return sets[y]!.length < threshold * size - 1e-9;
	}

	function jaccard(x: number, y: number): number {
		const both = commonElements(ranked[x]!, ranked[y]!);
		return both / (sets[x]!.length + sets[y]!.length - both);
	}
}

interface Posting {
	/** Sets that have an element among their rarest, by size. */
	readonly sets: number[];
	/** Those before it are too small for all that come. */
	start: number;
}

/** Each set's elements as ranks, rising, the rarest first; without those that no other set has, which no pair can share. */
function rankElements(sets: readonly Float64Array[]): Int32Array[] {
	const total = sets.reduce((sum, set) => sum + set.length, 0);
	const all = new Float64Array(total); // [elements of all sets]
	let filled = 0;
	for (const set of sets) {
		all.set(set, filled);
		filled += set.length;
	}
	all.sort();
	const values: number[] = [];
	const counts: number[] = [];
	for (let start = 0; start < total; ) {
		let end = start + 1;
		while (end < total && all[end] === all[start]) end++;
		if (end - start > 1) {
			values.push(all[start]!);
			counts.push(end - start);
		}
		start = end;
	}
	const byCount = Int32Array.from(counts.keys()).sort((x, y) => counts[x]! - counts[y]! || x - y);
	const rankOf = new Int32Array(values.length); // [shared elements]
	for (const [rank, place] of byCount.entries()) rankOf[place] = rank;
	const sorted = Float64Array.from(values);
	return sets.map((set) => {
		const ranks: number[] = [];
		for (const element of set) {
			const place = findSorted(sorted, element);
			if (place >= 0) ranks.push(rankOf[place]!);
		}
		return Int32Array.from(ranks).sort();
	});
}

function findSorted(sorted: Float64Array, value: number): number {
	let low = 0;
	let high = sorted.length - 1;
	while (low <= high) {
		const middle = (low + high) >> 1;
		if (sorted[middle] === value) return middle;
		if (sorted[middle]! < value) low = middle + 1;
		else high = middle - 1;
	}
	return -1;
}

/** How many elements two rising lists have in common. */
function commonElements(x: Int32Array, y: Int32Array): number {
	let common = 0;
	for (let i = 0, j = 0; i < x.length && j < y.length; ) {
		if (x[i] === y[j]) {
			common++;
			i++;
			j++;
		} else if (x[i]! < y[j]!) i++;
		else j++;
	}
	return common;
}
