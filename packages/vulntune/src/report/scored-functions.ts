import type { Prediction } from '../evaluation/predictions.ts';

/** The functions that have a probability, [rows] each. */
export interface ScoredFunctions {
	readonly labels: readonly number[];
	readonly probabilities: readonly number[];
	readonly commits: readonly (string | undefined)[];
}

/** Leaves out the functions that were not scored. */
export function scoredFunctions(predictions: readonly Prediction[]): ScoredFunctions {
	const rows = predictions.filter(({ probability }) => probability !== null);
	return {
		labels: rows.map(({ label }) => label),
		probabilities: rows.map(({ probability }) => probability!),
		commits: rows.map(({ commit }) => commit),
	};
}
