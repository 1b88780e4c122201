import { type BootstrapOptions, bootstrap, defaultResamples, percentileInterval } from './bootstrap.ts';
import type { Metric } from './evaluation.ts';

/** A function whose lines are ranked. */
export interface RankedFunction {
	/** Whether it is predicted vulnerable: its lines are read before those of others. */
	readonly isPositive: boolean;
	/** The higher, the earlier a line is read; equal ones in their order. [lines] */
	readonly scores: ArrayLike<number>;
	/** [lines] */
	readonly flawed: readonly boolean[];
}

/** Line localisation as LineVul measures it (Fu & Tantithamthavorn 2022). */
export const lineMetricNames = ['top10', 'ifa', 'effort20Recall', 'recall1Loc'] as const;
export type LineMetricName = (typeof lineMetricNames)[number];

export type LineMetrics = Readonly<Record<LineMetricName, Metric>>;

/**
 * - `top10`: share of functions with flawed lines that have one among their ten first;
 * - `ifa`: clean lines read before the first flawed one of a function, mean over the functions that have one;
 * - `effort20Recall`: share of all lines that are read until 20 % of the flawed ones are found;
 * - `recall1Loc`: share of the flawed lines that are found in the first 1 % of all lines.
 *
 * The last two read the functions that are predicted vulnerable first, and within both groups lines by their scores, whatever function
 * they are of.
 */
export function lineMetrics(
	functions: readonly RankedFunction[],
	options: Pick<BootstrapOptions, 'groups' | 'seed' | 'resamples'>,
): LineMetrics {
	const firsts = functions.map(firstFlawed);
	const order = readingOrder(functions);
	const measure = (weights: ArrayLike<number>) => {
		const read = readInOrder(order, weights);
		return [
			weightedMean(firsts, weights, (clean) => (clean < 10 ? 1 : 0)),
			weightedMean(firsts, weights, (clean) => clean),
			read.effort,
			read.recall,
		];
	};
	const values = measure(new Float64Array(functions.length).fill(1));
	const resamples = bootstrap(
		{ ...options, resamples: options.resamples ?? defaultResamples },
		values.length,
		measure,
	);
	const hasFlaws = firsts.some((first) => first !== undefined);
	const reason = hasFlaws ? 'there are fewer than a hundred lines' : 'no function has a flawed line';
	const metric = (index: number): Metric => {
		const value = values[index]!;
		if (Number.isNaN(value)) return { value: null, reason };
		const interval = percentileInterval(resamples[index]!, options.groups);
		return interval.status === 'ok'
			? { value, low: interval.low, high: interval.high }
			: { value, low: null, high: null, reason: interval.reason };
	};
	return { top10: metric(0), ifa: metric(1), effort20Recall: metric(2), recall1Loc: metric(3) };
}

/** Clean lines before the first flawed one; undefined where there is none. */
function firstFlawed({ scores, flawed }: RankedFunction): number | undefined {
	const order = flawed.map((_, line) => line).sort((a, b) => scores[b]! - scores[a]!);
	const first = order.findIndex((line) => flawed[line]);
	return first < 0 ? undefined : first;
}

function weightedMean(
	firsts: readonly (number | undefined)[],
	weights: ArrayLike<number>,
	of: (first: number) => number,
): number {
	let [sum, total] = [0, 0];
	for (const [f, first] of firsts.entries()) {
		if (first === undefined) continue;
		sum += weights[f]! * of(first);
		total += weights[f]!;
	}
	return sum / total;
}

interface RankedLine {
	readonly owner: number;
	readonly isFlawed: boolean;
}

/** All lines of all functions in the order in which they are read. */
function readingOrder(functions: readonly RankedFunction[]): readonly RankedLine[] {
	return functions
		.flatMap(({ scores, flawed, isPositive }, owner) =>
			flawed.map((isFlawed, line) => ({ owner, isFlawed, isPositive, score: scores[line]! })),
		)
		.sort((a, b) => Number(b.isPositive) - Number(a.isPositive) || b.score - a.score);
}

function readInOrder(
	order: readonly RankedLine[],
	weights: ArrayLike<number>,
): { readonly effort: number; readonly recall: number } {
	let [lines, flaws] = [0, 0];
	for (const { owner, isFlawed } of order) {
		lines += weights[owner]!;
		if (isFlawed) flaws += weights[owner]!;
	}
	const budget = Math.floor(lines / 100);
	let [read, found, effort, early] = [0, 0, Number.NaN, 0];
	for (const { owner, isFlawed } of order) {
		const weight = weights[owner]!;
		if (weight === 0) continue;
		if (isFlawed) {
			// what of this line's copies still lies within the first hundredth
			early += Math.max(0, Math.min(weight, budget - read));
			const wanted = Math.ceil(0.2 * flaws - 1e-9) - found;
			if (Number.isNaN(effort) && weight >= wanted) effort = (read + wanted) / lines;
			found += weight;
		}
		read += weight;
	}
	return { effort, recall: budget === 0 ? Number.NaN : early / flaws };
}
