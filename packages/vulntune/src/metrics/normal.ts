import { normalQuantile } from '@vulntune/engine/random/normal-quantile.ts';

/** 97.5 % point of the standard normal distribution: half the width of a 95 % interval in standard errors. */
export const normal975 = normalQuantile(0.975);

/** Chance that a standard normal variable is at least as far from 0 as `z`, accurate to about 1e-15. */
export function twoSidedNormal(z: number): number {
	return complementaryError(Math.abs(z) / Math.SQRT2);
}

/**
 * erfc(x) for x >= 0. Below 2.5 through the series of erf with terms of one sign (Abramowitz and Stegun 7.1.6),
 * above through the continued fraction (7.1.14), evaluated backwards.
 */
function complementaryError(x: number): number {
	if (x < 2.5) {
		let term = x;
		let sum = x;
		for (let n = 1; term > sum * 1e-17; n++) {
			term *= (2 * x * x) / (2 * n + 1);
			sum += term;
		}
		return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
	}
	let fraction = x;
	for (let n = 120; n >= 1; n--) fraction = x + n / 2 / fraction;
	return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}
