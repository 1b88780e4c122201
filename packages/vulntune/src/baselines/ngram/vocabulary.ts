import { type BucketCounts, type NgramFeatures, ngramCounter } from './features.ts';

/** Buckets that are columns of the matrix, with what tf-idf needs to weigh them. */
export interface Vocabulary {
	readonly features: NgramFeatures;
	/** Training texts. */
	readonly documents: number;
	/** Bucket of each column. Columns are numbered by first appearance, so that a text's n-grams lie close together. */
	readonly buckets: Uint32Array; // [columns]
	/** Training texts that hold each column's n-gram. */
	readonly documentFrequency: Uint32Array; // [columns]
}

/** The buckets that at least `minDocumentFrequency` of the texts hold. */
export function buildVocabulary(
	counted: readonly BucketCounts[],
	features: NgramFeatures,
	minDocumentFrequency: number,
): Vocabulary {
	const frequency = new Uint32Array(2 ** features.hashBits); // [all buckets]
	for (const { buckets } of counted) for (const bucket of buckets) frequency[bucket]! += 1;
	const kept: number[] = [];
	const seen = new Uint8Array(frequency.length); // [all buckets]
	for (const { buckets } of counted) {
		for (const bucket of buckets) {
			if (seen[bucket] === 1 || frequency[bucket]! < minDocumentFrequency) continue;
			seen[bucket] = 1;
			kept.push(bucket);
		}
	}
	const buckets = Uint32Array.from(kept); // [columns]
	const documentFrequency = buckets.map((bucket) => frequency[bucket]!); // [columns]
	return { features, documents: counted.length, buckets, documentFrequency };
}

/** One sparse row: which columns, and their values. */
export interface SparseRow {
	readonly columnOf: Int32Array; // [entries]
	readonly values: Float32Array; // [entries]
}

/**
 * Returns a function from counts to a tf-idf row of length 1: (1 + log count) * (log((1 + n) / (1 + df)) + 1), divided
 * by the length of the row. A text without a known n-gram has no entries.
 */
export function tfidf(vocabulary: Vocabulary): (counted: BucketCounts) => SparseRow {
	const { features, documents, buckets, documentFrequency } = vocabulary;
	const columnOfBucket = new Int32Array(2 ** features.hashBits).fill(-1); // [all buckets]
	const idf = new Float64Array(buckets.length); // [columns]
	for (let column = 0; column < buckets.length; column++) {
		columnOfBucket[buckets[column]!] = column;
		idf[column] = Math.log((1 + documents) / (1 + documentFrequency[column]!)) + 1;
	}
	return (counted) => {
		const columnOf = new Int32Array(counted.buckets.length); // [distinct]
		const values = new Float32Array(counted.buckets.length); // [distinct]
		let entries = 0;
		let square = 0;
		for (let place = 0; place < columnOf.length; place++) {
			const column = columnOfBucket[counted.buckets[place]!]!;
			if (column < 0) continue;
			const value = (1 + Math.log(counted.counts[place]!)) * idf[column]!;
			columnOf[entries] = column;
			values[entries++] = value;
			square += value * value;
		}
		for (let entry = 0; entry < entries; entry++) values[entry]! /= Math.sqrt(square);
		return { columnOf: columnOf.slice(0, entries), values: values.slice(0, entries) };
	};
}

/** Counts of all texts with one counter. */
export function countTexts(texts: readonly string[], features: NgramFeatures): BucketCounts[] {
	const count = ngramCounter(features);
	return texts.map((text) => count(text));
}
