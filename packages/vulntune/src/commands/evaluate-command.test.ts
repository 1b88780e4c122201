import { expect, it } from 'vitest';
import { splitCaution } from './evaluate-command.ts';

it('calls the numbers of a split that the run learned from no result', () => {
	expect(splitCaution('train', true)).toMatch(/^These are the functions that the run .* no result/);
	expect(splitCaution('valid', true)).toMatch(/were chosen on this very split: .*no result/);
	for (const isOwn of [false, undefined]) {
		expect(splitCaution('train', isOwn)).toMatch(/where it was trained on any of them, .*no result/);
	}
	expect(splitCaution('valid', undefined)).toMatch(/^Where epoch and thresholds were chosen on this/);
	expect(splitCaution('valid', false)).toBeUndefined();
	for (const isOwn of [true, false, undefined]) expect(splitCaution('test', isOwn)).toBeUndefined();
});
