import { expect, test } from 'vitest';
import { kernelSignatures } from './kernel-table.ts';
import { otherSignature } from './native.ts';

test('kernels that take other arguments than they are given are found before one is called', () => {
	expect(otherSignature(kernelSignatures)).toBeUndefined();
	expect(otherSignature({ ...kernelSignatures, add: 'pppb' })).toBe(
		'add takes pppb where pppn is given; run `npm rebuild @vulntune/engine`',
	);
	const { adamW: _, ...rest } = kernelSignatures;
	expect(otherSignature(rest)).toContain('adamW takes nothing');
});
