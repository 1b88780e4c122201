import { expect, test } from 'vitest';
import { hashStream, uniformArray } from '../random/streams.ts';
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
