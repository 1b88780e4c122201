import '../../../../tests/properties.ts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { similarPairs } from './similar-sets.ts';

/** What every pair of sets has in common, by the definition. */
function allPairs(sets: readonly Float64Array[], threshold: number) {
	return sets.flatMap((x, a) =>
		sets.flatMap((y, b) => {
			const both = x.filter((element) => y.includes(element)).length;
			const similarity = both / (x.length + y.length - both);
			return b > a && similarity >= threshold ? [{ a, b, similarity }] : [];
		}),
	);
}

it('finds every pair that is similar enough, and no other', () => {
	const set = fc
		.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 9 })
		.map((items) => Float64Array.from(items));
	const sets = fc.array(set, { maxLength: 14 });
	fc.assert(
		fc.property(sets, fc.constantFrom(0.3, 0.5, 0.6, 0.9, 1), (drawn, threshold) => {
			expect(similarPairs(drawn, threshold)).toEqual(allPairs(drawn, threshold));
		}),
		{ numRuns: 300 },
	);
});
