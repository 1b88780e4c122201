import { expect, test } from 'vitest';
import { twoSidedNormal } from './normal.ts';

test.each([
	[0, 1],
	[0.5, 0.6170750774519738],
	[1, 0.31731050786291415],
	[-1.96, 0.04999579029644087],
	[3.5, 0.0004652581580710501],
	[3.6, 0.000318217180315068],
	[8, 1.2441921148543639e-15],
])('two-sided p of %d', (z, expected) => {
	expect(Math.abs(twoSidedNormal(z) - expected)).toBeLessThanOrEqual(1e-15);
	expect(Math.abs(twoSidedNormal(z) / expected - 1)).toBeLessThan(1e-11);
});
