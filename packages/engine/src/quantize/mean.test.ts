import { expect, test } from 'vitest';
import { hashStream, normalArray, uniformArray } from '../random/streams.ts';
import { meanFloat32 } from './mean.ts';

test.each([1, 7, 8, 31, 33, 512, 16 * 32, 16 * 16 * 32 + 45, 300_001])(
	'%i numbers: the mean is float32-accurate and no number is lost or counted twice',
	(length) => {
		const values = uniformArray(1, hashStream('mean'), length, 0.5, 1);
		const exact = values.reduce((sum, value) => sum + value, 0) / length;
		expect(Math.abs(meanFloat32(values) / exact - 1)).toBeLessThan(4 * 2 ** -24);
		const ones = new Float32Array(length).fill(1);
		expect(meanFloat32(ones)).toBe(1);
	},
);

// From a port of the published order to another language: sums in any other order end in other bits.
test.each([
	[2, 40_000, 0.9890739321708679],
	[3, 40_000, 1.0060713291168213],
	[1, 100_003, 0.9954235553741455],
])('the additions are made in the order of PyTorch (seed %i, %i numbers)', (seed, length, expected) => {
	const values = normalArray(seed, hashStream('mean'), length, 1).map((value) => value * value);
	expect(meanFloat32(values)).toBe(expected);
});
