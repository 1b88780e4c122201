import { expect, it } from 'vitest';
import { combineWindows } from './combine-windows.ts';

it('gives each function one score, whatever the order of its windows', () => {
	const mean = combineWindows([0.25, 0.75, 0.5, 0.5], [0, 2, 0, 2], 3, 'mean');
	expect(Array.from(mean)).toEqual([0.375, Number.NaN, 0.625]);
	const max = combineWindows([0.25, 0.75, 0.5, 0.5], [0, 2, 0, 2], 3, 'max');
	expect(Array.from(max)).toEqual([0.5, Number.NaN, 0.75]);
	// added up as they come these give another last digit
	const scores = [0.1, 0.2, 0.3];
	expect(combineWindows(scores, [0, 0, 0], 1, 'mean')).toEqual(
		combineWindows(scores.toReversed(), [0, 0, 0], 1, 'mean'),
	);
});
