/**
 * What a metric came to: a number, or the reason why there is none. A metric that the data leave open (one
 * class, no rows) is never 0, 1 or NaN, and never an exception.
 */
export type Outcome =
	| { readonly status: 'ok'; readonly value: number }
	| { readonly status: 'undefined'; readonly reason: string };

export function defined(value: number): Outcome {
	return { status: 'ok', value };
}

export function undefinedBecause(reason: string): { status: 'undefined'; reason: string } {
	return { status: 'undefined', reason };
}

export const noRows = 'there are no functions';
export const noPositives = 'there is no vulnerable function';
const noNegatives = 'every function is vulnerable';

/** Why a metric that needs both classes is undefined, or undefined where both are there. */
export function missingClass(counts: { positives: number; negatives: number }): string | undefined {
	if (counts.positives === 0 && counts.negatives === 0) return noRows;
	if (counts.positives === 0) return noPositives;
	if (counts.negatives === 0) return noNegatives;
	return undefined;
}
