import { philoxInto } from '@vulntune/engine/random/philox.ts';
import { hashStream, seedWords } from '@vulntune/engine/random/streams.ts';

/** Which rows belong together: they enter a resample together or not at all. */
export interface RowGroups {
	readonly groupOf: Int32Array; // [rows]
	readonly count: number;
}

/**
 * Rows that share a name form a group; numbered by first appearance.
 * @param names [rows] the fix commit of each row, for one
 */
export function groupRows(names: ArrayLike<string>): RowGroups {
	const numbers = new Map<string, number>();
	const groupOf = Int32Array.from({ length: names.length }, (_, row) => {
		const name = names[row]!;
		const number = numbers.get(name) ?? numbers.size;
		numbers.set(name, number);
		return number;
	}); // [rows]
	return { groupOf, count: numbers.size };
}

/** Every row a group of its own. */
export function ungroupedRows(rows: number): RowGroups {
	return { groupOf: Int32Array.from({ length: rows }, (_, row) => row), count: rows };
}

export interface BootstrapOptions {
	readonly groups: RowGroups;
	readonly seed: number;
	/** Default 1,000. */
	readonly resamples?: number;
}

export const defaultResamples = 1000;
const stream = hashStream('metrics/bootstrap');

/**
 * Draws as many groups as there are, with replacement, again and again, and measures each resample. Two calls
 * with equal groups and seed see the same resamples, so that their measurements can be compared in pairs.
 * @param measure gets how often each row was drawn ([rows], reused between calls) and returns one number per
 * statistic, NaN where it is undefined on this resample
 * @returns [statistics][resamples]
 */
export function bootstrap(
	options: BootstrapOptions,
	statistics: number,
	measure: (weights: Float64Array) => ArrayLike<number>,
): Float64Array[] {
	const { groups, seed, resamples = defaultResamples } = options;
	const [key0, key1] = seedWords(seed);
	const values = Array.from({ length: statistics }, () => new Float64Array(resamples)); // [statistics][resamples]
	const drawn = new Float64Array(groups.count); // [groups]
	const weights = new Float64Array(groups.groupOf.length); // [rows]
	const words = new Uint32Array(4);
	for (let resample = 0; resample < resamples; resample++) {
		drawn.fill(0);
		for (let draw = 0; draw < groups.count; draw++) {
			if (draw % 4 === 0) philoxInto(words, draw / 4, stream, 0, resample, key0, key1);
			// the bias of this mapping is below groups / 2^32
			drawn[Math.floor((words[draw % 4]! / 2 ** 32) * groups.count)]! += 1;
		}
		for (let row = 0; row < weights.length; row++) weights[row] = drawn[groups.groupOf[row]!]!;
		const measured = measure(weights);
		for (let statistic = 0; statistic < statistics; statistic++) {
			values[statistic]![resample] = measured[statistic]!;
		}
	}
	return values;
}

export type Interval =
	| { readonly status: 'ok'; readonly low: number; readonly high: number }
	| { readonly status: 'undefined'; readonly reason: string };

/**
 * The 95 % percentile interval of bootstrap values (linear between order statistics). Resamples on which the
 * statistic is undefined are left out; where they are more than half, or all that it reads is of one group, there is no interval.
 *
 * @param rows that the statistic reads; default all
 */
export function percentileInterval(
	values: Float64Array,
	groups: RowGroups,
	rows?: readonly number[],
): Interval {
	const count = rows === undefined ? groups.count : new Set(rows.map((row) => groups.groupOf[row])).size;
	if (count < 2) {
		return { status: 'undefined', reason: 'a bootstrap needs at least two groups of functions' };
	}
	const sorted = values.filter((value) => !Number.isNaN(value)).sort();
	if (sorted.length * 2 < values.length || sorted.length === 0) {
		return {
			status: 'undefined',
			reason: `undefined on ${values.length - sorted.length} of ${values.length} resamples`,
		};
	}
	return { status: 'ok', low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

function quantile(sorted: Float64Array, share: number): number {
	const place = share * (sorted.length - 1);
	const below = Math.floor(place);
	const above = Math.min(below + 1, sorted.length - 1);
	return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}

export interface BootstrapComparison {
	/** 95 % interval of the difference. */
	readonly interval: Interval;
	/** Two-sided: twice the smaller share of resamples on either side of 0, each count raised by one. */
	readonly p: number | null;
}

/**
 * Compares two statistics by their difference on the same resamples.
 * @param measure returns the difference on one resample, NaN where it is undefined
 */
export function pairedBootstrap(
	options: BootstrapOptions,
	measure: (weights: Float64Array) => number,
): BootstrapComparison {
	const differences = bootstrap(options, 1, (weights) => [measure(weights)])[0]!;
	const interval = percentileInterval(differences, options.groups);
	if (interval.status !== 'ok') return { interval, p: null };
	let atMostZero = 0;
	let atLeastZero = 0;
	let valid = 0;
	for (const difference of differences) {
		if (difference <= 0) atMostZero++;
		if (difference >= 0) atLeastZero++;
		if (!Number.isNaN(difference)) valid++;
	}
	return { interval, p: Math.min(1, (2 * (Math.min(atMostZero, atLeastZero) + 1)) / (valid + 1)) };
}
