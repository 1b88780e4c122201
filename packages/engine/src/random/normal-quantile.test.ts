import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactLog, normalQuantile } from './normal-quantile.ts';

/** Upper tail P(X > x), x >= 0, by Simpson's rule for the density over [x, x + 12]. */
function upperTail(x: number): number {
	const steps = 40_000;
	const width = 12 / steps;
	let sum = 0;
	for (let step = 0; step <= steps; step++) {
		const weight = step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2;
		const at = x + step * width;
		sum += weight * Math.exp((-at * at) / 2);
	}
	return (sum * width) / 3 / Math.sqrt(2 * Math.PI);
}

test.each([
	[0.5, 0],
	[0.75, 0.6744897501960817],
	[0.9, 1.2815515655446004],
	[0.975, 1.959963984540054],
	[1e-10, -6.361340902404056],
	[1e-16, -8.222082216130435],
])('Q(%d) is %d', (p, expected) => {
	expect(Math.abs(normalQuantile(p) - expected)).toBeLessThan(2e-14);
});

test('inverts the integral of the density in every branch', () => {
	for (const p of [0.49, 0.3, 0.076, 0.074, 0.01, 1e-4, 1e-9, 2e-11, 1e-12, 1e-15]) {
		expect(Math.abs(upperTail(-normalQuantile(p)) / p - 1)).toBeLessThan(1e-12);
	}
});

test('is odd about one half, and infinite or not a number at and beyond the ends', () => {
	for (const p of [2 ** -40, 2 ** -4, 0.25]) expect(normalQuantile(1 - p)).toBe(-normalQuantile(p));
	expect(normalQuantile(0)).toBe(-Infinity);
	expect(normalQuantile(1)).toBe(Infinity);
	expect(normalQuantile(-0.1)).toBeNaN();
	expect(normalQuantile(Number.NaN)).toBeNaN();
});

test('the exact logarithm is within two units in the last place of the built-in one', () => {
	fc.assert(
		fc.property(fc.double({ min: Number.MIN_VALUE, max: 1e300, noNaN: true }), (x) => {
			const expected = Math.log(x);
			expect(Math.abs(exactLog(x) - expected)).toBeLessThanOrEqual(2 ** -51 * Math.abs(expected));
		}),
	);
	expect(exactLog(1)).toBe(0);
});
