import { expect, it } from 'vitest';
import { twoSidedNormal } from './normal.ts';
import { twoSidedStudent } from './student.ts';

it.each([
	// scipy.stats.t.sf(t, df) * 2
	[1, 1, 0.5],
	[12.706204736432095, 1, 0.05],
	[4.302652729696142, 2, 0.05],
	[9.92484320091807, 2, 0.01],
	[1.96, 4.8, 0.10967741],
	[-2.5, 7.3, 0.03965023],
	[3, 30, 0.00538996],
	[2.1, 5000, 0.03577882],
])('t %d with %d degrees of freedom', (t, degrees, p) => {
	expect(twoSidedStudent(t, degrees)).toBeCloseTo(p, 7);
});

it('is the normal distribution for many degrees of freedom, and 1 at 0', () => {
	for (const degrees of [9e4, 2e5, Number.POSITIVE_INFINITY]) {
		expect(twoSidedStudent(1.7, degrees)).toBeCloseTo(twoSidedNormal(1.7), 5);
	}
	expect(twoSidedStudent(0, 3)).toBe(1);
	expect(twoSidedStudent(50, 60)).toBeLessThan(1e-40);
});
