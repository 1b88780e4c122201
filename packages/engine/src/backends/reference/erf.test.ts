import { describe, expect, it } from 'vitest';
import { erf, erfc } from './erf.ts';

/** From the series 7.1.6 summed with 60 digits. */
const known: readonly [x: number, erf: number, erfc: number][] = [
	[0, 0, 1],
	[1e-10, 1.1283791670955126e-10, 0.999999999887162],
	[0.25, 0.27632639016823696, 0.7236736098317631],
	[1, 0.8427007929497149, 0.15729920705028513],
	[1.5, 0.9661051464753108, 0.033894853524689274],
	[1.9375, 0.9938568063952132, 0.0061431936047868],
	[2, 0.9953222650189527, 0.004677734981047266],
	[2.25, 0.9985372834133188, 0.0014627165866811518],
	[3, 0.9999779095030014, 2.209049699858544e-5],
	[5.5, 0.9999999999999927, 7.357847917974398e-15],
];

describe('the error function', () => {
	it.each(known)('knows erf and erfc at %f', (x, expected, complement) => {
		expect(Math.abs(erf(x) - expected)).toBeLessThanOrEqual(1e-15);
		expect(Math.abs(erf(-x) + expected)).toBeLessThanOrEqual(1e-15);
		expect(Math.abs(erfc(x) / complement - 1)).toBeLessThanOrEqual(1e-13);
		expect(Math.abs(erfc(-x) - (1 + expected))).toBeLessThanOrEqual(1e-15);
	});

	it('joins its two formulas without a step', () => {
		expect(Math.abs(erfc(2 - 2 ** -52) / erfc(2) - 1)).toBeLessThanOrEqual(1e-13);
	});

	it('has its limits', () => {
		expect([erf(40), erf(-40), erfc(40), erfc(-40)]).toEqual([1, -1, 0, 2]);
		expect(erf(Number.NaN)).toBeNaN();
	});
});
