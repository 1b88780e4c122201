import { uniform } from '@vulntune/engine';

/** Labels by the probability that is true of them, and a detector whose logits are `factor` times those. */
export function drawnDetector(seed: number, factor: number, rows = 300) {
	const truth = Array.from({ length: rows }, (_, row) => 0.1 + 0.8 * uniform(seed, 1, row));
	const labels = truth.map((probability, row) => Number(uniform(seed, 2, row) < probability) as 0 | 1);
	const probabilities = truth.map((probability) => 1 / (1 + ((1 - probability) / probability) ** factor));
	return { labels, probabilities };
}
