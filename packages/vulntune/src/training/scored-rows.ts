import type { FunctionRow } from '../data/row.ts';
import type { ScoredRows } from '../metrics/metricDefinitions.ts';

/** What the metrics need of a split: labels, fix commits as the bootstrap's units, pairs, weaknesses. */
export function scoredRows(
	rows: readonly FunctionRow[],
	probabilities: ArrayLike<number>,
	threshold: number | null,
	seed: number,
): ScoredRows {
	const hasCommits = rows.some((row) => row.commit !== undefined);
	const hasWeaknesses = rows.some((row) => row.cwe !== undefined);
	return {
		labels: rows.map((row) => row.label),
		scores: probabilities,
		ids: rows.map((row) => String(row.id)),
		threshold,
		seed,
		groups: hasCommits ? rows.map((row, index) => row.commit ?? `row ${index}`) : undefined,
		pairs: hasCommits ? pairsOf(rows) : undefined,
		weaknesses: hasWeaknesses ? rows.map((row) => row.cwe ?? null) : undefined,
		probabilities: true,
	};
}

/**
 * Pairs of a vulnerable function and its fix: same commit, same name, in their order. What a commit has more of one
 * kind than of the other stays without a partner.
 */
export function pairsOf(rows: readonly FunctionRow[]): (readonly [vulnerable: number, fixed: number])[] {
	const waiting = new Map<string, { vulnerable: number[]; fixed: number[] }>();
	const pairs: [number, number][] = [];
	for (const [index, row] of rows.entries()) {
		if (row.commit === undefined || row.status === 'NOT_VULNERABLE') continue;
		const key = JSON.stringify([row.commit, row.functionName ?? null]);
		const queue = waiting.get(key) ?? { vulnerable: [], fixed: [] };
		waiting.set(key, queue);
		const partner = (row.label === 1 ? queue.fixed : queue.vulnerable).shift();
		if (partner === undefined) (row.label === 1 ? queue.vulnerable : queue.fixed).push(index);
		else pairs.push(row.label === 1 ? [index, partner] : [partner, index]);
	}
	return pairs;
}
