import { normalQuantile } from '../random/normal-quantile.ts';

/**
 * How equation (1) of the QLoRA paper, q_i = (Q(i / (2^k + 1)) + Q((i + 1) / (2^k + 1))) / 2, is read where Q is infinite at the ends:
 * - `finite`: only i = 1 … 2^k - 1, both quantiles finite: 2^k - 1 values, symmetric about 0.
 * - `clamped`: i = 0 … 2^k with Q(0), Q(1) replaced by Q(delta), Q(1 - delta): 2^k + 1 values, so no code of k bits; for the record.
 * - `normal_map`: the construction that NF4 really has, 2^(k-1) positive values, 0 and 2^(k-1) - 1 negative ones from quantiles
 *   at equal steps between 1 - delta and 1/2: 2^k values.
 *
 * delta = (1 / 2^(k+1) + 1 / (2^(k+1) - 2)) / 2.
 */
export type QuantileReading = 'finite' | 'clamped' | 'normal_map';

/** Bits a code of a quantile codebook may have. */
export type QuantileBits = 2 | 3 | 4 | 5 | 6 | 7 | 8;

/**
 * The values of a k-bit quantile codebook, ascending, divided by the largest magnitude; float64, about 1e-15 accurate.
 *
 * `quantileCodebook(2, 'finite')` → [-1, 0, 1]
 */
export function quantileCodebook(bits: QuantileBits, reading: QuantileReading): Float64Array {
	const values = reading === 'normal_map' ? normalMap(bits) : equationOne(bits, reading);
	const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
	return Float64Array.from(values, (value) => value / largest).sort();
}

function tailProbability(bits: number): number {
	return (1 / 2 ** (bits + 1) + 1 / (2 ** (bits + 1) - 2)) / 2;
}

function equationOne(bits: number, reading: 'finite' | 'clamped'): number[] {
	const count = 2 ** bits;
	const end = normalQuantile(tailProbability(bits));
	const quantile = (index: number) =>
		index === 0 ? end : index === count + 1 ? -end : normalQuantile(index / (count + 1));
	const first = reading === 'finite' ? 1 : 0;
	const last = reading === 'finite' ? count - 1 : count;
	const values: number[] = [];
	// The lower half mirrors the upper one, so that the middle is an exact 0.
	for (let i = first; i <= last; i++) {
		const value = (quantile(i) + quantile(i + 1)) / 2;
		values.push(2 * i === count ? 0 : value);
	}
	return values;
}

function normalMap(bits: number): number[] {
	const half = 2 ** (bits - 1);
	const offset = 1 - tailProbability(bits);
	// `steps` quantiles from `offset` towards 1/2, which itself is left out: it is the one 0.
	const side = (steps: number) =>
		Array.from({ length: steps }, (_, index) => normalQuantile(offset + ((0.5 - offset) * index) / steps));
	return [...side(half), 0, ...side(half - 1).map((value) => -value)];
}
