import { inputError } from '@vulntune/engine';
import { defaultFeatures, type NgramFeatures, ngramCounter } from './features.ts';
import { fitLogisticRegression, type LogisticFit, sigmoid } from './logistic-regression.ts';
import { sparseMatrix } from './matrix.ts';
import { buildVocabulary, countTexts, tfidf, type Vocabulary } from './vocabulary.ts';

/** A labelled text to train on. */
export interface TextRow {
	readonly text: string;
	/** 1 vulnerable, 0 not */
	readonly label: 0 | 1;
}

/** Logistic regression on tf-idf of hashed character n-grams. */
export interface NgramModel extends Vocabulary {
	readonly weights: Float32Array; // [columns]
	readonly intercept: number;
	/** C of the fit; see {@link fitLogisticRegression}. */
	readonly inverseRegularization: number;
}

/** Asked between passes over the rows: true ends the work, whose result is then of no use. */
export interface Stoppable {
	readonly stop: () => boolean;
}

export interface NgramOptions {
	readonly features?: NgramFeatures | undefined;
	/** n-grams of fewer training texts are left out. Default 2. */
	readonly minDocumentFrequency?: number | undefined;
	/** Default 10; {@link selectNgram} chooses it on validation. */
	readonly inverseRegularization?: number | undefined;
}

/**
 * Trains on the rows. Deterministic, one thread.
 * @throws VulntuneError `NGRAM_ONE_CLASS` if the rows are not of both classes
 * @example const model = fitNgram([{ text: 'strcpy(a, b);', label: 1 }, { text: 'strlcpy(a, b, n);', label: 0 }]);
 */
export function fitNgram(
	rows: readonly TextRow[],
	options: NgramOptions & Partial<Stoppable> = {},
): NgramModel {
	const { inverseRegularization = 10 } = options;
	for (const { model } of ngramPath(rows, [inverseRegularization], options)) return model;
	throw new Error('a path of one model is empty');
}

/** One model per C, each starting where the last one ended; counting the n-grams only once. */
export function* ngramPath(
	rows: readonly TextRow[],
	inverseRegularizations: readonly number[],
	{ features = defaultFeatures, minDocumentFrequency = 2, stop }: NgramOptions & Partial<Stoppable> = {},
): Generator<{ model: NgramModel; fit: LogisticFit }> {
	const labels = Uint8Array.from(rows, (row) => row.label); // [rows]
	if (!labels.includes(1) || !labels.includes(0)) {
		throw inputError(
			'NGRAM_ONE_CLASS',
			`expected functions of both classes to train on, found ${rows.length} of one class`,
			{ remedy: 'Check the labels of the training split.' },
		);
	}
	const counted = countTexts(
		rows.map((row) => row.text),
		features,
	);
	const vocabulary = buildVocabulary(counted, features, minDocumentFrequency);
	const matrix = sparseMatrix(vocabulary.buckets.length, counted.map(tfidf(vocabulary)));
	let fit: LogisticFit | undefined;
	for (const inverseRegularization of inverseRegularizations) {
		fit = fitLogisticRegression(matrix, labels, { inverseRegularization, start: fit, stop });
		// rounded to what the file holds, so that a model predicts the same before and after it was written
		const weights = Float32Array.from(fit.weights); // [columns]
		yield { model: { ...vocabulary, weights, intercept: fit.intercept, inverseRegularization }, fit };
	}
}

/** @returns [texts] probability of vulnerable; each depends on its own text alone */
export function predictNgram(model: NgramModel, texts: readonly string[]): Float64Array {
	return ngramLogOdds(model, texts).map(sigmoid);
}

/** @returns [texts] log odds of vulnerable; each depends on its own text alone */
export function ngramLogOdds(model: NgramModel, texts: readonly string[]): Float64Array {
	const count = ngramCounter(model.features);
	const weigh = tfidf(model);
	return Float64Array.from(texts, (text) => {
		const { columnOf, values } = weigh(count(text));
		let logit = model.intercept;
		for (let entry = 0; entry < values.length; entry++) {
			logit += values[entry]! * model.weights[columnOf[entry]!]!;
		}
		return logit;
	});
}
