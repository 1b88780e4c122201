import { expect, it } from 'vitest';
import { splitCaution } from './evaluate-command.ts';

it('calls the numbers of a split that the run learned from no result', () => {
	expect(splitCaution('train')).toMatch(/no result/);
	expect(splitCaution('valid')).toMatch(/no result/);
	expect(splitCaution('test')).toBeUndefined();
});
