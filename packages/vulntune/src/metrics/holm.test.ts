import { expect, it } from 'vitest';
import { holm } from './holm.ts';

it('corrects as R’s p.adjust(method = "holm") does', () => {
	// p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
	expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
	expect(holm([0.9, 0.6])).toEqual([1, 1]);
});

it('leaves out tests that are undefined', () => {
	expect(holm([0.02, null, 0.04])).toEqual([0.04, null, 0.04]);
	expect(holm([])).toEqual([]);
});
