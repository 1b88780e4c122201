import { allPositive } from '../baselines/all-positive.ts';
import type { Baselines } from '../baselines/fit-baselines.ts';
import { lengthScores } from '../baselines/length.ts';
import { predictNgram } from '../baselines/ngram/model.ts';
import type { Thresholds } from '../metrics/threshold-metrics.ts';

/** Scores of functions, the higher the more likely vulnerable. */
export interface Ranking {
	readonly scores: readonly number[]; // [rows]
}

/** What is measured: scores of functions, and from where on they mean vulnerable. */
export interface Detector extends Ranking {
	readonly name: string;
	/** Of all rows, or [rows] of each: those of the folds of a cross-validation. */
	readonly threshold: Thresholds;
	/** False for scores that are no probabilities. */
	readonly probabilities?: boolean;
}

/** A line of baselines.test.jsonl: a function, and the score that each baseline gives it. */
export interface BaselineScores {
	readonly id: string | number;
	readonly scores: Readonly<Record<string, number>>;
}

/** The scores of all baselines, one JSON object per function. */
export function formatBaselineScores(
	ids: readonly (string | number)[],
	baselines: readonly Detector[],
): string {
	return ids
		.map((id, row): BaselineScores => {
			return { id, scores: Object.fromEntries(baselines.map(({ name, scores }) => [name, scores[row]!])) };
		})
		.map((line) => `${JSON.stringify(line)}\n`)
		.join('');
}

/**
 * The trivial detectors' scores of some functions.
 * @param baselines undefined: what needs no fitting
 */
export function baselineDetectors(texts: readonly string[], baselines: Baselines | undefined): Detector[] {
	const always: Detector = { name: 'all-positive', scores: [...allPositive(texts.length)], threshold: 1 };
	if (baselines === undefined) return [always];
	const { length, ngram } = baselines;
	return [
		always,
		{
			name: 'length',
			scores: [...lengthScores(texts, length.direction)],
			threshold: length.threshold,
			probabilities: false,
		},
		{ name: 'ngram', scores: [...predictNgram(ngram.model, texts)], threshold: ngram.threshold },
	];
}
