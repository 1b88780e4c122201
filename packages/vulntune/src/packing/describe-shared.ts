import type { PackPlan } from './pack-functions.ts';

/** What sharing prefixes saves, in words. */
export function describeShared({ tokens, sharedTokens }: Pick<PackPlan, 'tokens' | 'sharedTokens'>): string {
	const share = (100 * sharedTokens) / Math.max(1, tokens + sharedTokens);
	return `${share.toFixed(1)} % of the tokens begin several functions and are computed once`;
}
