import { type GroupedBy, groupNames } from './groups.ts';

/** Model minus baseline with its 95 % interval and two-sided p, or why there is none. */
export type Difference =
	| { readonly value: number; readonly low: number; readonly high: number; readonly p: number | null }
	| {
			readonly value: number;
			readonly low: null;
			readonly high: null;
			readonly p: null;
			readonly reason: string;
	  }
	| { readonly value: null; readonly reason: string };

export interface BaselineDifferences {
	readonly baseline: string;
	readonly rocAuc: Difference;
	readonly f1: Difference;
}

/**
 * Says whether the model beats the baselines. It beats one in a metric where the whole 95 % interval of the
 * difference lies above 0, and loses where it lies below. The last sentence says which interval that is.
 *
 * @param groupedBy what the bootstrap draws together: clusters for ROC AUC too
 */
export function verdict(
	model: string,
	differences: readonly BaselineDifferences[],
	groupedBy: GroupedBy,
): string {
	return [
		sentence(
			model,
			'ROC AUC',
			differences.map(({ baseline, rocAuc }) => [baseline, rocAuc]),
		),
		sentence(
			model,
			'F1 at the validation threshold',
			differences.map(({ baseline, f1 }) => [baseline, f1]),
		),
		decidedBy(groupedBy),
	].join(' ');
}

function decidedBy(groupedBy: GroupedBy): string {
	const resampled = `a bootstrap over ${groupNames[groupedBy]}`;
	return groupedBy === 'cluster'
		? `What decides are 95 % intervals by ${resampled}, for ROC AUC too, not DeLong's.`
		: `What decides are 95 % intervals: for ROC AUC DeLong's, which takes functions for independent, for F1 by ${resampled}.`;
}

function sentence(model: string, metric: string, differences: (readonly [string, Difference])[]): string {
	const beaten: string[] = [];
	const level: string[] = [];
	const better: string[] = [];
	const unknown: string[] = [];
	for (const [baseline, difference] of differences) {
		if (difference.value === null || difference.low === null) {
			// equal everywhere is no win, and needs no interval to say so
			(difference.value === 0 ? level : unknown).push(baseline);
		} else if (difference.low > 0) beaten.push(baseline);
		else if (difference.high < 0) better.push(baseline);
		else level.push(baseline);
	}
	const parts: string[] = [];
	if (beaten.length > 0) parts.push(`beats ${list(beaten)}`);
	if (level.length > 0) parts.push(`does not beat ${list(level)} (no difference that these data can show)`);
	if (better.length > 0) parts.push(`is worse than ${list(better)}`);
	if (unknown.length > 0) parts.push(`cannot be compared with ${list(unknown)}`);
	return `In ${metric} ${model} ${list(parts)}.`;
}

function list(items: readonly string[]): string {
	if (items.length < 2) return items.join('');
	return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
