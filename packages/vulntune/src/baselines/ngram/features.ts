/** How a text becomes hashed counts of character n-grams. */
export interface NgramFeatures {
	/** Length of the n-grams in UTF-16 units, from `shortest` to `longest`. */
	readonly shortest: number;
	readonly longest: number;
	/** n-grams are hashed into 2^hashBits buckets. */
	readonly hashBits: number;
}

export const defaultFeatures: NgramFeatures = { shortest: 3, longest: 5, hashBits: 20 };

/** The n-grams of one text: buckets in the order of their first appearance, and how often each occurs. */
export interface BucketCounts {
	readonly buckets: Uint32Array; // [distinct]
	readonly counts: Uint32Array; // [distinct]
}

/**
 * Returns a function that counts the n-grams of a text, after lower-casing and with every run of white space as
 * one space. It keeps a table of 2^hashBits counters between calls.
 */
export function ngramCounter(features: NgramFeatures): (text: string) => BucketCounts {
	const { shortest, longest, hashBits } = features;
	const table = new Uint32Array(2 ** hashBits); // [buckets], all 0 between calls
	const shift = 32 - hashBits;
	return (text) => {
		const normal = text.replace(/\s+/g, ' ').trim().toLowerCase();
		const touched: number[] = [];
		for (let start = 0; start < normal.length; start++) {
			let hash = 0x811c9dc5; // FNV-1a over UTF-16 units
			const end = Math.min(normal.length, start + longest);
			for (let place = start; place < end; place++) {
				hash = Math.imul(hash ^ normal.charCodeAt(place), 0x01000193);
				if (place - start + 1 < shortest) continue;
				const bucket = mix(hash) >>> shift;
				if (table[bucket] === 0) touched.push(bucket);
				table[bucket]! += 1;
			}
		}
		const buckets = Uint32Array.from(touched); // [distinct]
		const counts = buckets.map((bucket) => table[bucket]!); // [distinct]
		for (const bucket of buckets) table[bucket] = 0;
		return { buckets, counts };
	};
}

/** Spreads a hash over all its bits (the finalizer of MurmurHash3), as FNV leaves the upper ones poor. */
function mix(hash: number): number {
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return hash ^ (hash >>> 16);
}
