import { expect, it } from 'vitest';
import type { FunctionRow } from '../data/row.ts';
import { lossWeight } from './loss-weights.ts';
import { splitData } from './split-data.ts';

const none = { alpha: null, classWeights: null, statusWeights: null };
const rows: readonly Pick<FunctionRow, 'label' | 'status'>[] = [
	{ label: 0, status: 'FIXED' },
	{ label: 1, status: 'VULNERABLE' },
	{ label: 0, status: 'OTHER' },
	{ label: 1 },
];

it.each([
	['nothing', none, [1, 1, 1, 1]],
	['α of class 0, the rest for class 1', { ...none, alpha: 0.25 }, [0.25, 0.75, 0.25, 0.75]],
	['α per class', { ...none, alpha: [2, 5] as const }, [2, 5, 2, 5]],
	['class weights', { ...none, classWeights: [3, 7] as const }, [3, 7, 3, 7]],
	['status weights', { ...none, statusWeights: { FIXED: 11, VULNERABLE: 13 } }, [11, 13, 1, 1]],
	[
		'all of them, multiplied',
		{ alpha: 0.25, classWeights: [3, 7] as const, statusWeights: { FIXED: 11, VULNERABLE: 13 } },
		[0.25 * 3 * 11, 0.75 * 7 * 13, 0.25 * 3, 0.75 * 7],
	],
])('weighs a row by %s', (_, weights, expected) => {
	expect(rows.map((row) => lossWeight(row, weights))).toEqual(expected);
	const split = splitData(
		rows.map((row, i) => ({ ...row, id: String(i), code: '' })),
		rows.map(() => Int32Array.of(1)),
		weights,
	);
	expect(Array.from(split.weights)).toEqual(expected);
});
