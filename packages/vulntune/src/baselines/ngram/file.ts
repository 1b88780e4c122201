import { inputError } from '@vulntune/engine';
import { z } from 'zod';
import type { NgramModel } from './model.ts';

/** The file of an n-gram model in a run's adapter folder. */
export const NGRAM_FILE = 'ngram.json';

const format = 'vulntune-ngram/1';

const schema = z.strictObject({
	format: z.literal(format),
	features: z.strictObject({
		shortest: z.int().min(1).max(16),
		longest: z.int().min(1).max(16),
		hashBits: z.int().min(8).max(24),
	}),
	documents: z.int().min(1),
	inverseRegularization: z.number().positive(),
	intercept: z.number(),
	/** The validation threshold, where one is known: positive means probability >= threshold. */
	threshold: z.number().nullable(),
	/** Base64 of little-endian 32-bit words, one per column. */
	buckets: z.base64(),
	documentFrequency: z.base64(),
	weights: z.base64(),
});

/** An n-gram model with its threshold as text: JSON, the three columns as base64. */
export function serializeNgram(model: NgramModel, threshold: number | null): string {
	const { features, documents, inverseRegularization, intercept } = model;
	const columns = {
		buckets: toBase64(model.buckets),
		documentFrequency: toBase64(model.documentFrequency),
		weights: toBase64(model.weights),
	};
	const content = { format, features, documents, inverseRegularization, intercept, threshold, ...columns };
	return `${JSON.stringify(content, undefined, '\t')}\n`;
}

/**
 * @param place named in errors
 * @throws VulntuneError `NGRAM_FILE` for anything that {@link serializeNgram} would not have written
 */
export function parseNgram(text: string, place: string): { model: NgramModel; threshold: number | null } {
	const refuse = (message: string) =>
		inputError('NGRAM_FILE', message, { place, remedy: 'Train the n-gram model again.' });
	let content: unknown;
	try {
		content = JSON.parse(text);
	} catch (cause) {
		throw refuse(`expected an n-gram model in JSON: ${(cause as Error).message}`);
	}
	const parsed = schema.safeParse(content);
	if (!parsed.success) {
		const { path, message } = parsed.error.issues[0]!;
		throw refuse(`expected an n-gram model: ${[...path, message].join(': ')}`);
	}
	const { threshold, features, documents, inverseRegularization, intercept } = parsed.data;
	const buckets = new Uint32Array(words(parsed.data.buckets)); // [columns]
	const documentFrequency = new Uint32Array(words(parsed.data.documentFrequency)); // [columns]
	const weights = new Float32Array(words(parsed.data.weights)); // [columns]
	if (buckets.length !== weights.length || buckets.length !== documentFrequency.length) {
		throw refuse(`expected as many weights as buckets, found ${weights.length} and ${buckets.length}`);
	}
	if (buckets.some((bucket) => bucket >= 2 ** features.hashBits)) {
		throw refuse(`a bucket is not below 2^${features.hashBits}`);
	}
	if (!weights.every(Number.isFinite)) throw refuse('a weight is not finite');
	const model = { features, documents, inverseRegularization, intercept };
	return { model: { ...model, buckets, documentFrequency, weights }, threshold };
}

function toBase64(values: Uint32Array | Float32Array): string {
	return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

/** The bytes of a base64 text in a buffer of their own, cut to whole words. */
function words(base64: string): ArrayBuffer {
	const bytes = Buffer.from(base64, 'base64');
	const copy = new Uint8Array(bytes.length - (bytes.length % 4));
	copy.set(bytes.subarray(0, copy.length));
	return copy.buffer;
}
