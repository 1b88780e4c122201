import { expect, it } from 'vitest';
import type { PackingOptions } from './options.ts';
import { cutFunction } from './pieces.ts';

const options: PackingOptions = {
	length: 12,
	packing: 'isolated',
	order: 'bestFit',
	maxFunctions: 200,
	largeFunctions: 'ignore',
};

it('leaves room for what is put before and behind a function, and for the separator', () => {
	const around = { ...options, leadingLength: 2, suffixLength: 1 };
	const whole = { functionIndex: 3, start: 0, windowIndex: 0, windowCount: 1 };
	expect(cutFunction(3, 8, around)).toEqual([{ ...whole, end: 8, leadingLength: 2, suffixLength: 1 }]);
	expect(cutFunction(3, 9, around)).toEqual([]);
	expect(cutFunction(3, 9, { ...around, largeFunctions: 'truncate' })).toMatchObject([{ end: 8 }]);
	expect(cutFunction(3, 11, options)).toEqual([{ ...whole, end: 11, suffixLength: 0 }]);
});
