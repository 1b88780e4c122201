import type { PositiveRule } from './threshold-metrics.ts';

/** What became of pairs of a vulnerable function and its fix at a threshold (PrimeVul, Ding et al., 2024). */
export interface PairCounts {
	/** P-C: the vulnerable one found, the fixed one left alone. */
	readonly correct: number;
	/** P-V: both called vulnerable. */
	readonly bothVulnerable: number;
	/** P-B: both called benign. */
	readonly bothBenign: number;
	/** P-R: the wrong way round. */
	readonly reversed: number;
	/** Pairs in which the vulnerable one scores higher, a tie counting half. Needs no threshold. */
	readonly rankedRight: number;
	/** Pairs altogether. */
	readonly pairs: number;
}

/**
 * @param vulnerable [pairs] scores before the fix
 * @param fixed [pairs] scores after it
 * @param threshold of all, or [pairs] of each; positive means score >= threshold, or > with the strict rule
 * @param weights [pairs] how often each pair counts; once each if absent
 */
export function pairCounts(
	vulnerable: ArrayLike<number>,
	fixed: ArrayLike<number>,
	threshold: number | ArrayLike<number>,
	{ rule = 'inclusive', weights }: { rule?: PositiveRule; weights?: ArrayLike<number> } = {},
): PairCounts {
	let correct = 0;
	let bothVulnerable = 0;
	let bothBenign = 0;
	let reversed = 0;
	let rankedRight = 0;
	let pairs = 0;
	for (let pair = 0; pair < vulnerable.length; pair++) {
		const weight = weights === undefined ? 1 : weights[pair]!;
		const before = vulnerable[pair]!;
		const after = fixed[pair]!;
		const limit = typeof threshold === 'number' ? threshold : threshold[pair]!;
		const positive = (score: number) => (rule === 'inclusive' ? score >= limit : score > limit);
		if (positive(before)) {
			if (positive(after)) bothVulnerable += weight;
			else correct += weight;
		} else if (positive(after)) reversed += weight;
		else bothBenign += weight;
		rankedRight += weight * (before > after ? 1 : before === after ? 0.5 : 0);
		pairs += weight;
	}
	return { correct, bothVulnerable, bothBenign, reversed, rankedRight, pairs };
}
