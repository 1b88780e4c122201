import { directionOfScores } from '../baselines/length.ts';
import type { ReportData } from './report-data.ts';

/** What each baseline of a run does, by its name; of the length which functions it calls vulnerable, where the run wrote that down. */
export function describeBaselines({
	baselines,
	comparison,
}: Pick<ReportData, 'baselines' | 'comparison'>): [name: string, words: string][] {
	const lengths = (baselines ?? []).flatMap(({ scores: { length } }) => length ?? []);
	const length =
		lengths.length === 0
			? 'the shorter ones, or the longer ones where that ranks training rows better'
			: `here the ${directionOfScores(lengths)} ones, as ranks training rows better`;
	const words: [string, string][] = [
		['all-positive', 'calls every function vulnerable'],
		['length', length],
		['ngram', 'is a logistic regression on character n-grams of the same training rows'],
	];
	const isShown = (name: string) =>
		comparison.rows.some((row) => row.kind === 'baseline' && row.name === name);
	return words.filter(([name]) => isShown(name));
}
