import { hashStream, uniform } from '@vulntune/engine';

/** Tokens that a function has in common with others, all those of the same number, and of its own behind them. */
export type Parts = readonly [common: number, own: number];

/** Test helper: token ids of functions, those in common the same wherever they are as many. */
export function functionsBeginningAlike(sizes: readonly Parts[]): Int32Array[] {
	return sizes.map(([common, own], i) =>
		Int32Array.from({ length: common + own }, (_, t) => {
			const stream = t < common ? common : 100 + i;
			return 3 + Math.floor(290 * uniform(7, hashStream(`tokens ${stream}`), t));
		}),
	);
}
