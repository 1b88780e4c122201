import { rocAuc } from '../metrics/rank-metrics.ts';
import { curveOf } from '../metrics/ranking.ts';
import type { TextRow } from './ngram/model.ts';

/** Which functions the baseline of lengths calls vulnerable. */
export type LengthDirection = 'shorter' | 'longer';

/**
 * The baseline of lengths. Fixes add checks, so in pairs the vulnerable function tends to be the shorter one; among all functions of
 * changed files, most of which are short and harmless, it is the longer one. A score from 0 to 1 by the length in UTF-16 units; it is
 * no probability.
 * @returns [texts]
 */
export function lengthScores(texts: readonly string[], direction: LengthDirection = 'shorter'): Float64Array {
	const shorter = Float64Array.from(texts, (text) => 1 / (1 + text.length));
	return direction === 'shorter' ? shorter : shorter.map((score) => 1 - score);
}

/** The direction that ranks training rows better; `shorter` where they say nothing. */
export function lengthDirection(train: readonly TextRow[]): LengthDirection {
	const area = rocAuc(
		curveOf(
			train.map(({ label }) => label),
			lengthScores(train.map(({ text }) => text)),
		),
	);
	return area.status === 'ok' && area.value < 0.5 ? 'longer' : 'shorter';
}

/** The direction that scores of {@link lengthScores} were made in: those of functions are near 0 shorter first, near 1 longer first. */
export function directionOfScores(scores: readonly number[]): LengthDirection {
	return scores.reduce((sum, score) => sum + score, 0) > scores.length / 2 ? 'longer' : 'shorter';
}
