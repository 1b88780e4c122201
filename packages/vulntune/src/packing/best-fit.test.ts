import { expect, it } from 'vitest';
import { packBestFit } from './best-fit.ts';

it('puts a group only where all of it stays within the number of functions', () => {
	const whole = { start: 0, end: 2, windowIndex: 0, windowCount: 1, suffixLength: 0 };
	const group = (...functions: number[]) => functions.map((functionIndex) => ({ ...whole, functionIndex }));
	const packs = packBestFit([group(0, 1), group(2, 3), group(4)], 30, 3);
	expect(packs.map((pack) => pack.map(({ functionIndex }) => functionIndex))).toEqual([
		[0, 1],
		[2, 3, 4],
	]);
});
